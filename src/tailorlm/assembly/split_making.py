"""Makes the split of a recipe's users: by the vectors of their profiles, or by lot.

Knows nothing of training. Profiles of the whole histories decide who is like whom; they are made as the recipe says,
some users at a time. Source: P2P appendix H; PRISP appendix A.2; data/splits*.py has the algorithms.
"""

from collections.abc import Sequence

import torch

from tailorlm.assembly.benches import load_base, make_encoder, make_profilers
from tailorlm.assembly.profilers import learn
from tailorlm.assembly.recipes import Recipe
from tailorlm.assembly.store import StoredUsers
from tailorlm.data.splits import Split
from tailorlm.data.splits_benchmark import benchmark_split
from tailorlm.data.splits_few_shot import few_shot_split
from tailorlm.profiles.table import build_table

AT_ONCE = 256


def make(recipe: Recipe, users: StoredUsers) -> Split:
    """The recipe's split of the users. ValueError as the splits raise it.

    Who has no history has no vector to be clustered by, and trains.
    """
    settings = recipe.data.split
    if settings.kind == "few_shot":
        return few_shot_split(users.ids, settings.task_share, settings.targets, recipe.seed)
    known = [place for place, user in enumerate(users) if user.history]
    ids, bounds = users.ids, (settings.low, settings.high) if settings.high else None
    found = vectors(recipe, users, known).numpy()
    made = benchmark_split([ids[place] for place in known], found, settings.size or None, bounds, recipe.seed)
    silent = sorted(set(ids) - {ids[place] for place in known})
    return Split(made.kind, {**made.parts, "train": (*made.part("train"), *silent)}, made.made)


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
