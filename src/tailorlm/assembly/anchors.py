"""What a source's adapters begin at: those that another source has for the same owners.

Each owner gets the adapter of its own user and task: a task's (Text-to-LoRA), the user's (P2P), the user's for the
task. Knows nothing of what a source does. Source: PRISP section 3 (an anchor a task, a task at a time); design
section 2 (adapter = "prisp", anchor = "p2p").
"""

from collections.abc import Sequence

import torch

from tailorlm.adapters.batch import Adapters
from tailorlm.data.records import User
from tailorlm.methods.owners import Owner
from tailorlm.methods.source import AdapterSource, Roster, Start, shared_start


def start_of(source: AdapterSource, tasks: Sequence[str]) -> Start:
    """What a source has, as what another source's adapters begin at; `tasks` are all that anybody is enrolled for.

    ValueError for a source without adapters. The start raises ValueError for an owner who has none in it, and for an
    owner of all tasks who has several.
    """
    if source.injector is None:
        raise ValueError(f"{type(source).__module__} makes no adapters that another source could begin at")
    of_all = getattr(source, "of_all", lambda tasks: None)
    everybodys = of_all(tasks)
    if everybodys is not None:  # a task's, where without tasks there is none for everybody
        return shared_start(everybodys, tasks[0] if len(tasks) == 1 and of_all(()) is None else None)
    return Start(source.injector.space, lambda owners: _own(source, owners, tasks))


def _own(source: AdapterSource, owners: Sequence[Owner], tasks: Sequence[str]) -> Adapters:
    """The owners' (U) adapters, in their order; one where it is the same for all of them."""
    users: dict[str, User] = {owner.user.id: owner.user for owner in owners}
    asked = dict.fromkeys(task for owner in owners for task in ((owner.task,) if owner.task is not None else tasks))
    roster = source.enrol(list(users.values()), list(asked))
    if roster.adapters is None:
        raise ValueError(f"{type(source).__module__} makes no adapters that another source could begin at")
    places = [_place(roster, owner, tasks) for owner in owners]
    return roster.adapters[torch.tensor(places[:1] if len(set(places)) == 1 else places)]


def _place(roster: Roster, owner: Owner, tasks: Sequence[str]) -> int:
    named = (owner.task,) if owner.task is not None else tasks
    own = [roster.place[owner.user.id, task] for task in (None, *named) if (owner.user.id, task) in roster.place]
    if len(own) > 1:
        raise ValueError(
            f"user {owner.id!a} has {len(own)} adapters to begin at, one for each task, and is to get one for all: "
            'set items.scope = "task" for an adapter a task, or evaluate one task at a time'
        )
    if not own or own[0] < 0:
        raise ValueError(f"user {owner.id!a} has no adapter that another source could begin at")
    return own[0]
