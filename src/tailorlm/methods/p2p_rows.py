"""Rows to train P2P on, each with what the network is told before it: cut points, profiles, and whose turn it is.

Knows nothing of networks or vectors. Source: design section 2 (cut points); P2P section 3.2; reference section 1.
"""

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from tailorlm.data.cuts import Cut, sample_cuts, seen
from tailorlm.data.records import User
from tailorlm.methods import made_for
from tailorlm.methods.asking import Asked
from tailorlm.methods.p2p_inputs import Inputs
from tailorlm.methods.source import Bench, Start
from tailorlm.profiles.profile import Profile
from tailorlm.training.examples import TrainingSet, training_set
from tailorlm.training.settings import require

Scope = Literal["all", "task"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CutSettings:
    """Profiles a training user gives: `count` random cuts that show at least `minimum` items (0: also none).

    `scope`: one profile of "all" tasks, or one of each "task" (the paper's), which makes an adapter a user and task.
    ValueError for no cut, or fewer than no items.
    """

    count: int = 3
    minimum: int = 0
    scope: Scope = "all"

    def __post_init__(self) -> None:
        require(self, "count", self.count >= 1, "at least 1", "cuts")
        require(self, "minimum", self.minimum >= 0, "at least 0", "cuts")


@dataclass(frozen=True)
class ToldRows:
    """N rows; row i is told `profiles[owners[i]]`, and rows of one of `units` (N) take turns as one user."""

    rows: TrainingSet
    profiles: list[Profile]
    owners: list[int]
    units: list[str]

    def about(self, bench: Bench, start: Start | None) -> dict[str, str]:
        """What training on them goes on with; who is told what is known by the cuts."""
        return made_for.training(bench.backbone, start, self.rows.rows, self.rows.cut, self.rows.cuts, self.owners)


def cuts_of(users: Iterable[User], settings: CutSettings, seed: int) -> list[Cut]:
    """The cuts, drawn per user from the seed and the user's id: who else is there changes nothing."""
    return [
        cut
        for user in users
        for cut in sample_cuts(user, settings.count, settings.minimum, random.Random(f"{seed}/{user.id}"))
    ]


def after_cuts(
    bench: Bench, inputs: Inputs, users: Sequence[User], settings: CutSettings, max_tokens: int, seed: int
) -> ToldRows:
    """The rows after the cuts that the settings draw, with what is told before them. ValueError where there is none."""
    told = told_rows(bench, inputs, users, cuts_of(users, settings, seed), settings.scope, max_tokens, seed)
    if not told.rows.rows:
        raise ValueError(
            f"no item of {len(users)} users makes a row to train on; cuts.minimum is {settings.minimum}: only items "
            "with so many before them can"
        )
    return told


def told_rows(
    bench: Bench, inputs: Inputs, users: Sequence[User], cuts: Sequence[Cut], scope: Scope, max_tokens: int, seed: int
) -> ToldRows:
    """A row for every item after the cuts; what it is told comes from before its cut.

    With k > 0 each row has its own, found for its own query; else those of one cut (and task) share it. Either way
    those take turns as one user.
    """
    rows = training_set(users, cuts, bench.task_of, bench.backbone.tokenizer, max_tokens, bench.pools, seed)
    by_id = {user.id: user for user in users}
    wanted, owners = scoped(rows, scope)
    units = [f"{owner:09d}" for owner in owners]
    before = [seen(by_id[cut.user_id], cut) for cut, _ in wanted]
    known = inputs.known([Asked(cut.user_id, past, task) for (cut, task), past in zip(wanted, before, strict=True)])
    if inputs.k == 0:
        return ToldRows(rows, known, owners, units)
    asked = zip(rows.queries, owners, strict=True)
    requests = [inputs.request(query, before[owner]) for query, owner in asked]
    return ToldRows(rows, inputs.asked([known[owner] for owner in owners], requests), list(range(len(owners))), units)


def scoped(rows: TrainingSet, scope: Scope) -> tuple[list[tuple[Cut, str | None]], list[int]]:
    """The different (cut, task or None for all) of the rows, and each row's number among them (N)."""
    keys = [(cut, task if scope == "task" else None) for cut, task in rows.asked]
    number = {key: n for n, key in enumerate(dict.fromkeys(keys))}
    return list(number), [number[key] for key in keys]
