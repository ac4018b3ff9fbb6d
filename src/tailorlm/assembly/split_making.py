"""Makes the split of a recipe's users: by the vectors of their profiles, or by lot; of all users, or task by task.

Knows nothing of training. Profiles of the whole histories decide who is like whom; they are made as the recipe says,
some users at a time. Source: P2P section 4 (test users of each task), appendix H; PRISP appendix A.2; data/splits*.py
has the algorithms.
"""

from collections.abc import Mapping, Sequence

import torch

from tailorlm.assembly.benches import load_base, make_encoder, make_profilers
from tailorlm.assembly.profilers import learn
from tailorlm.assembly.recipes import Recipe
from tailorlm.assembly.splitting import PARTS, SplitSettings
from tailorlm.assembly.store import StoredUsers
from tailorlm.data.records import User
from tailorlm.data.splits import Split, joined
from tailorlm.data.splits_benchmark import benchmark_split
from tailorlm.data.splits_clusters import Floats
from tailorlm.data.splits_few_shot import few_shot_split
from tailorlm.plugins import names
from tailorlm.profiles.given import has_text
from tailorlm.profiles.table import build_table

AT_ONCE = 256


def make(recipe: Recipe, users: StoredUsers) -> Split:
    """The recipe's split of the users. ValueError as the splits raise it, and where a user has no task of its own.

    Who cannot be described has no vector to be clustered by, who has no item and no query no task: such a user trains.
    """
    settings = recipe.data.split
    known = [place for place, user in enumerate(users) if describable(recipe, user)]
    divided = known if settings.kind == "clusters" else range(len(users))
    groups = places_by_task(settings, users, divided) if settings.by == "task" else {}
    found = dict(zip(known, vectors(recipe, users, known).numpy(), strict=True)) if settings.kind == "clusters" else {}
    if settings.by == "task":
        made = joined({task: of_task(recipe, task, users.ids, places, found) for task, places in groups.items()})
    else:
        made = one(settings, users.ids, divided, found, recipe.seed)
    there = {id for part in made.parts.values() for id in part}
    trains, silent = PARTS[settings.kind][0][-1], [id for id in users.ids if id not in there]
    return Split(made.kind, {**made.parts, trains: (*made.part(trains), *silent)}, made.made)


def describable(recipe: Recipe, user: User) -> bool:
    """Whether the user has a vector: a history, or, where the recipe takes it, a profile that came with the data.

    Personal Reddit as P2P's table 8 has it is users of one query each, with profiles.
    """
    return bool(user.history) or (recipe.profile.kind in ("given", "given_or_llm") and has_text(user))


def of_task(recipe: Recipe, task: str, ids: Sequence[str], places: Sequence[int], found: Mapping[int, Floats]) -> Split:
    """The split of one task's users. ValueError names the task."""
    try:
        return one(recipe.data.split.of(task), ids, places, found, recipe.seed)
    except ValueError as error:
        raise ValueError(f"data.split, task {task!a}: {error}") from None


def one(
    settings: SplitSettings, ids: Sequence[str], places: Sequence[int], found: Mapping[int, Floats], seed: int
) -> Split:
    """The split of the users at these places; `found`: by place the vector (E), for clusters."""
    own = [ids[place] for place in places]
    if settings.kind == "few_shot":
        return few_shot_split(own, settings.task_share, settings.targets, seed)
    bounds = (settings.low, settings.high) if settings.high else None
    return benchmark_split(own, [found[place] for place in places], settings.size or None, bounds, seed)


def places_by_task(settings: SplitSettings, users: StoredUsers, places: Sequence[int]) -> dict[str, list[int]]:
    """Which of the places each task's users have ("" is theirs whose data name none), tasks sorted.

    A user's task is that of the items; without items, of the queries. ValueError for a user of several, who could be
    asked in one and trained on in the other, and for settings of an unknown task.
    """
    found: dict[str, list[int]] = {}
    does, asks = users.does, users.asks
    for place in places:
        tasks = sorted(task or "" for task in does[place] or asks[place])
        if len(tasks) > 1:
            raise ValueError(
                f'data.split.by is "task", and user {users.ids[place]!a} has items or queries of {len(tasks)} tasks '
                f"({', '.join(tasks)}): expected one a user; give each task its own users, or divide by all"
            )
        if tasks:
            found.setdefault(tasks[0], []).append(place)
    for task in settings.tasks:
        if task not in found and task not in names("tasks"):
            raise ValueError(f"data.split.tasks has {task!a}; users' tasks are: {', '.join(sorted(found))}")
    return dict(sorted(found.items()))


def vectors(recipe: Recipe, users: StoredUsers, places: Sequence[int]) -> torch.Tensor:
    """(U, E) of each of these users the mean vector of the statements of the profile of everything."""
    backbone = load_base(recipe.base)
    profilers = make_profilers(recipe.profile, learn(recipe.profile, users), backbone)
    encoder = make_encoder(recipe.encoder, backbone)
    found = []
    for start in range(0, len(places), AT_ONCE):
        some = [users[place] for place in places[start : start + AT_ONCE]]
        table = build_table(profilers(some, None), encoder, "set")
        said, mask = table.gather(torch.arange(len(table)))
        found.append(said.sum(1).cpu() / mask.sum(1, keepdim=True).clamp(min=1))
    return torch.cat(found)
