"""P2P over items that come one by one: what is kept of users, and adapters made of it.

For a source that is told the whole "history" and reads it with an "attention" pool: an item is a vector, so that a new
item costs one call of the encoder for that item and one pass of the network. Knows nothing of training or files.
Source: design section 4 (the profile vector is the record); issue 3 (attention over items, updated item by item).
"""

from collections.abc import Mapping, Sequence

from tailorlm.data.records import User
from tailorlm.methods.p2p import Source
from tailorlm.methods.p2p_inputs import NOTHING
from tailorlm.methods.p2p_items import ItemVectors, added, padded
from tailorlm.methods.source import Roster
from tailorlm.profiles.cache import claim

Place = tuple[str, str | None]
"""(user id, task or None for all)"""
Kept = Mapping[Place, ItemVectors]


def add_items(source: Source, kept: Kept, users: Sequence[User], tasks: Sequence[str] = ()) -> dict[Place, ItemVectors]:
    """What is kept with the items of `users` after the old ones; only these items are encoded.

    The histories of `users` are their NEW items. ValueError as `source.scopes` for `tasks`.
    """
    check(source)
    wanted = [(user, task) for user in users for task in source.scopes(tasks)]
    new = {(user.id, task): source.inputs.items(user.history, task) for user, task in wanted}
    texts = {place: [item.text for item in reversed(items)] for place, items in new.items()}
    claim(source.encoder, ((user_id, text) for (user_id, _), said in texts.items() for text in said))
    return added(kept, texts, source.encoder)


def enrol_items(source: Source, kept: Kept) -> Roster:
    """One adapter a place from item vectors: what `source.enrol` makes of the same histories."""
    check(source)
    nothing = () if all(map(len, kept.values())) else tuple(added({}, {"": [NOTHING]}, source.encoder).values())
    vectors, mask = padded([items if len(items) else nothing[0] for items in kept.values()])
    device = source.bench.backbone.device
    return Roster(source.made_of(vectors.to(device), mask.to(device)), {place: n for n, place in enumerate(kept)})


def check(source: Source) -> None:
    """ValueError unless the source is told histories and reads them as sets."""
    told, pool = source.settings.source, source.settings.net.pool
    if (told, pool) != ("history", "attention"):
        raise ValueError(f'source is "{told}" and net.pool "{pool}": items one by one need "history" and "attention"')
