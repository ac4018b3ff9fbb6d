"""Clusters of users by their profile vectors, and fair draws from them: what the splits are made of.

Nothing depends on the order in which users come: they are sorted by id, and drawn by lot, a digest of seed,
purpose and id. Knows nothing of texts or of splits. Source: P2P appendix H (KMeans on normalised vectors, k by
the best silhouette, inter-cluster distance / (1 + size)).
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.cluster import KMeans
from sklearn.metrics import silhouette_score

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]
STARTS = 4
"""KMeans starts; the best is taken."""
SEARCHED = 2_000
"""At most this many users, drawn by lot, decide k: a silhouette compares all pairs."""
TRIED = 16
"""At most this many values of k are tried, evenly by ratio."""


@dataclass(frozen=True, slots=True)
class Clusters:
    """`labels` (U,): the cluster of each user; `centres` (K, E)."""

    labels: Ints
    centres: Floats

    @property
    def sizes(self) -> Ints:
        """(K,) how many users are in each."""
        return np.bincount(self.labels, minlength=len(self.centres)).astype(np.int64)


def arranged(ids: Sequence[str], vectors: ArrayLike) -> tuple[list[str], Floats]:
    """Users sorted by id, and their vectors (U, E) in that order at length 1.

    ValueError where shapes do not fit, an id comes twice, or a vector is not finite or all zeros.
    """
    rows = np.asarray(vectors)
    if rows.ndim != 2 or len(rows) != len(ids) or not len(ids):
        raise ValueError(f"vectors have shape {rows.shape}, expected ({len(ids)}, E): one row for each of the users")
    order = sorted(range(len(ids)), key=ids.__getitem__)
    names, rows = [ids[place] for place in order], rows[order]
    check_distinct(names)
    norms = np.linalg.norm(rows.astype(np.promote_types(rows.dtype, np.float32), copy=False), axis=1, keepdims=True)
    wrong = np.flatnonzero(~np.isfinite(norms[:, 0]) | (norms[:, 0] == 0))
    if len(wrong):
        raise ValueError(f"the vector of user {names[int(wrong[0])]!a} is not finite or all zeros: no direction")
    return names, (rows / norms).astype(np.float32)


def check_distinct(names: Sequence[str]) -> None:
    """ValueError with the first id that stands twice in sorted `names`."""
    for one, other in pairwise(names):
        if one == other:
            raise ValueError(f"user {one!a} comes twice: expected each id once")


def by_lot(ids: Sequence[str], seed: int, purpose: str) -> list[int]:
    """The places of `ids` in an order drawn by lot: it depends on the seed, the purpose and the ids alone."""
    lots = [hashlib.sha256(f"{seed}/{purpose}/{name}".encode("utf-8", "surrogatepass")).digest() for name in ids]
    return sorted(range(len(ids)), key=lots.__getitem__)


def cluster(unit: Floats, count: int, seed: int) -> Clusters:
    """KMeans of vectors (U, E) into `count` clusters, or as many as there are different vectors if fewer."""
    found = KMeans(min(count, distinct(unit)), n_init=STARTS, random_state=seed).fit(unit)
    return Clusters(found.labels_.astype(np.int64), found.cluster_centers_.astype(np.float32))


def distinct(unit: Floats) -> int:
    """How many different vectors there are."""
    return len({hash(row.tobytes()) for row in unit})


def best_count(unit: Floats, low: int, high: int, seed: int) -> tuple[int, dict[int, float]]:
    """The k in low..high with the best silhouette (the smaller of two equals), and every silhouette tried.

    ValueError where fewer than three users, or only equal ones, leave no k to try.
    """
    if not 2 <= low <= high:
        raise ValueError(f"clusters from {low} to {high}: expected a range that begins at 2 or more")
    most = min(high, distinct(unit), len(unit) - 1)
    if most < low:
        raise ValueError(
            f"{len(unit)} users with {distinct(unit)} different vectors: too few for {low} clusters or more"
        )
    scores = {k: float(silhouette_score(unit, cluster(unit, k, seed).labels)) for k in _tried(low, most)}
    return max(scores, key=lambda k: (scores[k], -k)), scores


def _tried(low: int, high: int) -> list[int]:
    if high - low < TRIED:
        return list(range(low, high + 1))
    return sorted({round(k) for k in np.geomspace(low, high, TRIED)})


def isolation(clusters: Clusters) -> NDArray[np.float64]:
    """(K,) the mean distance of each centre to the others, over 1 + the cluster's size (K of 2 or more)."""
    centres = clusters.centres.astype(np.float64)
    apart = np.linalg.norm(centres[:, None] - centres[None], axis=-1).sum(axis=1) / (len(centres) - 1)
    scores: NDArray[np.float64] = apart / (1 + clusters.sizes)
    return scores


def in_proportion(sizes: Ints, total: int) -> Ints:
    """How many of `total` each of K groups gives: in proportion to its size, the largest remainders rounded up.

    ValueError where `total` is not in 0..sum of sizes.
    """
    if not 0 <= total <= sizes.sum():
        raise ValueError(f"{total} users to draw of {int(sizes.sum())}: expected no more than there are")
    exact = sizes * (total / max(1, int(sizes.sum())))
    shares: Ints = np.floor(exact).astype(np.int64)
    most = np.argsort(-(exact - shares), kind="stable")[: total - int(shares.sum())]
    shares[most] += 1
    return shares


def drawn(ids: Sequence[str], labels: Ints, total: int, seed: int, purpose: str) -> list[int]:
    """Places of `total` users, each cluster giving its proportion, by lot within it; sorted."""
    order = np.asarray(by_lot(ids, seed, purpose), dtype=np.int64)
    names = np.unique(labels)
    shares = in_proportion(np.array([(labels == name).sum() for name in names], dtype=np.int64), total)
    picked = [order[labels[order] == name][:share] for name, share in zip(names, shares, strict=True)]
    return sorted(int(place) for place in np.concatenate(picked))
