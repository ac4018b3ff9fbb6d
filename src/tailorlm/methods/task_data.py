"""The rows of task data: all items of training users, or their answered queries alone, plain or in both versions.

Knows nothing of what is trained on them. Source: PRISP appendix B ("both versions are included", for all methods);
P2P section 4 (MT-LoRA: plain rows).
"""

from collections.abc import Sequence

from tailorlm.data.cuts import Cut
from tailorlm.data.records import User
from tailorlm.methods.batches import all_items
from tailorlm.methods.own_items import ItemSettings, own_rows
from tailorlm.methods.owners import Owner
from tailorlm.methods.source import Bench
from tailorlm.training.examples import TrainingSet


def task_data(bench: Bench, users: Sequence[User], settings: ItemSettings, seed: int) -> TrainingSet:
    """The users' rows; an id is user@place, with a + behind it where a context stands before the row.

    ValueError for settings with a scope, which is that of users' own adapters.
    """
    if settings.scope != "all":
        raise ValueError(f'items.scope is "{settings.scope}", and task data train one adapter for all: expected "all"')
    if settings == ItemSettings():
        return all_items(bench, users, seed)
    people = [user for user in users if user.history]
    made = own_rows(bench, [Owner(user) for user in people], settings, seed)
    return TrainingSet(made.rows, made.owner, made.task, tuple(Cut(user.id, 0) for user in people), [])
