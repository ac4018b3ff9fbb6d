"""PRISP's few-shot protocol: who is served, whose data stands for the task, who shares, and how little is used.

Knows nothing of vectors or texts. Source: PRISP section 4.1, appendix A.2 (25% of users are task data, 100 are
evaluated, the others may share), figure 6 (1 to 50 newest items), tables 2, 3 and 9 (no task data, 50 rows, all).
"""

from collections.abc import Sequence
from typing import Literal, TypeVar

from .splits import Split
from .splits_clusters import by_lot, check_distinct

T = TypeVar("T")
SHOTS = (1, 5, 10, 30, 50)
"""The numbers of newest items of figure 6; 10 is the paper's setting."""


def few_shot_split(ids: Sequence[str], task_share: float = 0.25, targets: int = 100, seed: int = 0) -> Split:
    """Parts `target` (evaluated), `task` (that share of all users) and `sharers` (the others), drawn by lot.

    ValueError where an id comes twice or there are too few users for the first two parts.
    """
    names = sorted(ids)
    check_distinct(names)
    if not 0 <= task_share < 1 or targets < 1:
        raise ValueError(f"task_share {task_share}, targets {targets}: expected a share in 0..1 and at least 1 target")
    task = round(task_share * len(names))
    if targets + task > len(names):
        raise ValueError(f"{len(names)} users: too few for {targets} target users and {task} of task data")
    order = [names[place] for place in by_lot(names, seed, "few-shot")]
    parts = {"target": order[:targets], "task": order[targets : targets + task], "sharers": order[targets + task :]}
    made = {"seed": seed, "task_share": task_share, "targets": targets, "users": len(names)}
    return Split("few_shot", {part: tuple(users) for part, users in parts.items()}, made)


def task_rows(rows: Sequence[str], amount: int | Literal["all"], seed: int = 0) -> tuple[str, ...]:
    """The ids of the `amount` rows of task data that a method may see: 0, 50 or "all" in the paper; sorted.

    Fewer are a part of more. `rows`: ids of all rows of the task users. ValueError where there are fewer.
    """
    names = sorted(rows)
    check_distinct(names)
    if amount == "all":
        return tuple(names)
    if not 0 <= amount <= len(names):
        raise ValueError(f'task_data = {amount}: there are {len(names)} rows; expected 0 to {len(names)}, or "all"')
    return tuple(sorted(names[place] for place in by_lot(names, seed, "task-rows")[:amount]))


def newest(items: Sequence[T], shots: int) -> tuple[T, ...]:
    """The `shots` newest items, oldest first, as few-shot users have them; all where a user has no more."""
    if shots < 1:
        raise ValueError(f"shots = {shots}: expected at least 1")
    return tuple(items[-shots:])
