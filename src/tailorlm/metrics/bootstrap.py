"""Paired bootstrap over USERS: the mean difference of two methods, its interval, and who is worse off.

Rows of one user are not independent, so whole users are drawn with replacement, both methods on the same draw. A mean
over several tasks needs all of them: a draw in which a task has nobody says nothing of that mean and is drawn again, so
that the interval is the bootstrap's given that every task is there. To average the tasks that a draw has would be
another quantity in each draw: what differs between tasks would pass for uncertainty. To draw within the groups of users
who have the same tasks would show none where a group is one user. Knows nothing of metrics: it takes a score per row.
Source: issue 2 section 3; Efron and Tibshirani (1993), chapter 13.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
CELLS = 4_000_000
"""Draws times users held at once (32 MB of counts)."""
RAREST = 100
"""One draw in so many has to hold every task; so few users as make it rarer (thirty tasks of two users) have no joint
interval."""
TRIED = 20_000
"""Draws before that is judged."""


class TooFewUsers(ValueError):
    """There are too few users, of all or of one task, to be drawn anew."""


@dataclass(frozen=True, slots=True)
class Difference:
    """The mean of (scores - base) and the ends of its interval; `users` and `rows` it rests on."""

    mean: float
    low: float
    high: float
    users: int
    rows: int


def paired_bootstrap(
    scores: Sequence[float],
    base: Sequence[float],
    users: Sequence[str],
    tasks: Sequence[str] | None = None,
    resamples: int = 10_000,
    confidence: float = 0.95,
    seed: int = 0,
) -> Difference:
    """The percentile interval of mean(scores) - mean(base) over N rows, drawing users; seeded,
    order-free.

    With `tasks` (N) the mean is that of the tasks' means, each task counting the same; draws without a user of some
    task are drawn again. ValueError where the lengths differ or a score is not finite; TooFewUsers where there are
    fewer than two users, overall or of one task, or more tasks than so few users can hold in a draw.
    """
    _check_settings(resamples, confidence)
    change = checked_scores(scores, "scores", len(users)) - checked_scores(base, "base", len(users))
    sums, counts, names = cells(change, users, tasks)
    _check_tasks(counts, names)
    mean = float((sums.sum(axis=1) / counts.sum(axis=1)).mean())
    drawn = _drawn_means(sums, counts, names, resamples, np.random.default_rng(seed))
    low, high = np.quantile(drawn, [(1 - confidence) / 2, (1 + confidence) / 2])
    return Difference(mean, float(low), float(high), sums.shape[1], len(change))


def share_worse(scores: Sequence[float], base: Sequence[float], users: Sequence[str]) -> float:
    """The share of users, in 0..1, whose mean score is lower than their mean base score (equal is not
    worse).

    Raises ValueError where the lengths (N) differ, a score is not finite, or there are no rows.
    """
    change = checked_scores(scores, "scores", len(users)) - checked_scores(base, "base", len(users))
    if not len(change):
        raise ValueError("no rows: expected at least one user")
    means = _user_means(change, users)
    # Sums of decimal scores differ in the last bits: what is below them is no difference.
    return float((means < -1e-12).mean())


def _user_means(change: Floats, users: Sequence[str]) -> Floats:
    _, places = np.unique(np.asarray(users, dtype=str), return_inverse=True)
    means: Floats = np.bincount(places, weights=change) / np.bincount(places)
    return means


def cells(change: Floats, users: Sequence[str], tasks: Sequence[str] | None) -> tuple[Floats, Floats, list[str]]:
    """Sums and counts per (task, user), and the tasks' names; one task, named "", without `tasks`."""
    kinds = [""] * len(users) if tasks is None else list(tasks)
    if len(kinds) != len(users):
        raise ValueError(f"{len(kinds)} tasks for {len(users)} users: expected one for each row")
    people, user = np.unique(np.asarray(users, dtype=str), return_inverse=True)
    names, task = np.unique(np.asarray(kinds, dtype=str), return_inverse=True)
    if len(people) < 2:
        raise TooFewUsers(f"{len(people)} user(s): an interval over users needs at least 2")
    cell, shape = task * len(people) + user, (len(names), len(people))
    size = shape[0] * shape[1]
    sums = np.bincount(cell, weights=change, minlength=size).astype(np.float64).reshape(shape)
    counts = np.bincount(cell, minlength=size).astype(np.float64).reshape(shape)
    return sums, counts, [str(name) for name in names]


def _check_tasks(counts: Floats, names: list[str]) -> None:
    for name, users in zip(names, (counts > 0).sum(axis=1).tolist(), strict=True):
        if users < 2:
            raise TooFewUsers(
                f"too few users of task {name!r}: {users} has it, and a joint interval, which would show nothing of "
                "that task's luck, needs at least 2"
            )


def _drawn_means(sums: Floats, counts: Floats, names: list[str], resamples: int, rng: np.random.Generator) -> Floats:
    """The statistic (resamples,) of every draw that holds all tasks: how often each user is drawn, times sums and
    counts.
    """
    people = sums.shape[1]
    step = max(1, CELLS // people)
    parts: list[Floats] = []
    tried, held = 0, 0
    while held < resamples:
        size = min(step, max(resamples - held, tried - held))
        times = rng.multinomial(people, np.full(people, 1 / people), size=size).astype(np.float64)
        drawn = times @ counts.T
        whole = drawn.all(axis=1)
        parts.append(((times[whole] @ sums.T) / drawn[whole]).mean(axis=1))
        tried, held = tried + size, held + int(whole.sum())
        if tried >= TRIED and held * RAREST < tried:
            raise TooFewUsers(
                f"too few users: {people} for {len(names)} tasks, and {held} of {tried} draws hold a user of each; "
                "compare fewer tasks at once, or more users"
            )
    return np.concatenate(parts)[:resamples]


def checked_scores(values: Sequence[float], name: str, rows: int) -> Floats:
    """One finite score for each row (N). ValueError where that is not so."""
    array = np.asarray(values, dtype=np.float64)
    if array.shape != (rows,):
        raise ValueError(f"{name} has shape {array.shape}, expected ({rows},): one score for each row's user")
    if not np.isfinite(array).all():
        raise ValueError(f"{name}: row {int(np.flatnonzero(~np.isfinite(array))[0])} is not finite")
    return array


def _check_settings(resamples: int, confidence: float) -> None:
    if resamples < 1:
        raise ValueError(f"resamples {resamples}: expected at least 1")
    if not 0 < confidence < 1:
        raise ValueError(f"confidence {confidence}: expected between 0 and 1")
