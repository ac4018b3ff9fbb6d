"""Fewer training users, and training users of fewer kinds: the two axes of P2P's figure 3.

Knows nothing of texts. The paper does not say whether fewer clusters also meant fewer users; here every number of
clusters has the SAME number of users, so that diversity is all that changes. Source: P2P section 5, figure 3.
"""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from .splits_clusters import Ints, arranged, by_lot, check_distinct, cluster, drawn

COUNTS = (10, 20, 30, 40, 50)
SHARES = (0.2, 0.4, 0.6, 0.8, 1.0)


def diversity(
    ids: Sequence[str], vectors: ArrayLike, counts: Sequence[int] = COUNTS, seed: int = 0
) -> dict[int, tuple[str, ...]]:
    """For each of `counts` the training users drawn from that many clusters, of max(counts) there are.

    Fewer clusters are among more (their order is by lot). Everywhere as many users as the fewest clusters hold,
    each cluster giving its proportion. ValueError where there are fewer different vectors than clusters.
    """
    names, unit = arranged(ids, vectors)
    found = cluster(unit, _most(counts), seed)
    if len(found.centres) < max(counts):
        raise ValueError(f"{len(found.centres)} different vectors: too few for {max(counts)} clusters of users")
    order = by_lot([str(label) for label in range(max(counts))], seed, "clusters")
    total = int(found.sizes[order[: min(counts)]].sum())
    kept = {count: np.flatnonzero(np.isin(found.labels, order[:count])) for count in counts}
    return {count: _drawn(names, found.labels, places, total, seed) for count, places in kept.items()}


def _most(counts: Sequence[int]) -> int:
    if not counts or min(counts) < 1:
        raise ValueError(f"numbers of clusters {list(counts)}: expected one or more, each at least 1")
    return max(counts)


def _drawn(names: list[str], labels: Ints, places: Ints, total: int, seed: int) -> tuple[str, ...]:
    among = [names[int(place)] for place in places]
    return tuple(among[n] for n in drawn(among, labels[places], total, seed, "diversity"))


def quantity(ids: Sequence[str], shares: Sequence[float] = SHARES, seed: int = 0) -> dict[float, tuple[str, ...]]:
    """For each share that part of the users by lot, sorted, rounded up; less is a part of more.

    ValueError for an id that comes twice or a share that is not in 0..1.
    """
    names = sorted(ids)
    check_distinct(names)
    for share in shares:
        if not 0 < share <= 1:
            raise ValueError(f"share {share} of the users: expected more than 0, at most 1")
    order = [names[place] for place in by_lot(names, seed, "quantity")]
    # 0.2 * 15 is 3.0000000000000004: what is below a billionth is no user more.
    return {share: tuple(sorted(order[: math.ceil(share * len(names) - 1e-9)])) for share in shares}
