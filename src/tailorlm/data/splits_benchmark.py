"""The `random` and the `ood` test users of a task, with ONE training set disjoint from both.

First the out-of-distribution users leave with their clusters, so that no training user is from a chosen one; what
remains of a cluster that did not fit is left out. Then users like those of training are drawn from the rest.
Knows nothing of texts: vectors come in as arrays. Source: P2P section 4 and appendix H.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from .splits import Split
from .splits_clusters import (
    SEARCHED,
    Clusters,
    Floats,
    arranged,
    best_count,
    by_lot,
    cluster,
    drawn,
    isolation,
)


def usual_size(users: int) -> int:
    """Users of each test set: 200, and a tenth below 1,000 (the two sets are then the paper's 20%)."""
    return 200 if users >= 1_000 else -(-users // 10)


def usual_range(users: int, size: int) -> tuple[int, int]:
    """Where k is searched: to 50 or more, from where a cluster holds five test sets on average, at least from 2.

    The paper names no range. With two clusters of 20,000 users the one that is cut would take half of them away.
    """
    low = max(2, users // (5 * size))
    return low, max(50, 2 * low)


def benchmark_split(
    ids: Sequence[str],
    vectors: ArrayLike,
    size: int | None = None,
    clusters: tuple[int, int] | None = None,
    seed: int = 0,
) -> Split:
    """Parts `train`, `random`, `ood` and `left_out` of users with profile vectors (U, E).

    `size`: users of each test set (`usual_size` by default); `clusters`: the range of k for `ood`
    (`usual_range`). ValueError where there are too few users, or too few different ones, to leave any for training.
    """
    names, unit = arranged(ids, vectors)
    wanted = usual_size(len(names)) if size is None else size
    if wanted < 1:
        raise ValueError(f"{wanted} test users: expected at least 1")
    counts = usual_range(len(names), wanted) if clusters is None else clusters
    ood, left_out, found = isolated(names, unit, wanted, counts, seed)
    gone = {*ood, *left_out}
    rest = [place for place in range(len(names)) if place not in gone]
    if len(rest) <= wanted:
        raise ValueError(
            f"{len(names)} users: {len(ood)} are out of distribution, {len(left_out)} share their clusters, and "
            f"{wanted} random test users leave none of {len(rest)} to train on; take fewer test users"
        )
    random = [rest[n] for n in proportional([names[n] for n in rest], unit[rest], wanted, seed)]
    parts = {"train": sorted(set(rest) - set(random)), "random": random, "ood": ood, "left_out": left_out}
    made = {"seed": seed, "size": wanted, "range": list(counts), "users": len(names), **found}
    return Split("benchmark", {part: tuple(names[n] for n in places) for part, places in parts.items()}, made)


def proportional(names: Sequence[str], unit: Floats, size: int, seed: int) -> list[int]:
    """Places of `size` users that mirror the population: every cluster gives its proportion, by lot."""
    groups = min(50, max(5, len(names) // 50))
    return drawn(names, cluster(unit, min(groups, len(names)), seed).labels, size, seed, "random")


def isolated(
    names: Sequence[str], unit: Floats, size: int, counts: tuple[int, int], seed: int
) -> tuple[list[int], list[int], dict[str, object]]:
    """Places of the `size` most isolated users, places of those who share a cut cluster, and what was found.

    Whole clusters go while they fit, the most isolated first; of the next one the users farthest from its centre.
    """
    searched = sorted(by_lot(names, seed, "search")[:SEARCHED])
    count, scores = best_count(unit[searched], *counts, seed)
    found = cluster(unit, count, seed)
    taken, left, chosen = _taken(found, unit, size)
    said = {"clusters": count, "silhouette": round(scores[count], 4), "chosen_sizes": chosen}
    return taken, left, said


def _taken(found: Clusters, unit: Floats, size: int) -> tuple[list[int], list[int], list[int]]:
    taken: list[int] = []
    left: list[int] = []
    chosen: list[int] = []
    for label in np.argsort(-isolation(found), kind="stable"):
        if len(taken) == size:
            break
        members = np.flatnonzero(found.labels == label)
        away = np.linalg.norm(unit[members] - found.centres[label], axis=1)
        farthest = members[np.argsort(-away, kind="stable")]
        room = size - len(taken)
        taken += farthest[:room].tolist()
        left += farthest[room:].tolist()
        chosen.append(len(members))
    return sorted(taken), sorted(left), chosen
