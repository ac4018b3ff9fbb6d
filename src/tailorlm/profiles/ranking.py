"""Exact posterior of a personal ranking from what was chosen among what, under a uniform prior over rankings.

The user picks the best-ranked offered label, or, with probability `noise`, any offered one. The sum over all
K! rankings is a forward-backward pass over the 2^K sets of labels already placed, best first: placing label c next
decides every choice that offers c and none of the labels placed before. Posterior mean places predict the next
choice better than rates or Bradley-Terry scores (docs/profiles.md). Knows nothing of texts or users.
"""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from math import log

import numpy as np
from numpy.typing import NDArray

Choice = tuple[str, frozenset[str]]
MOST_LABELS = 10
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Layer = tuple[Ints, Ints, Ints]


def expected_places(choices: Iterable[Choice], labels: Iterable[str], noise: float = 0.1) -> dict[str, float]:
    """Posterior mean place (1 is best) of each label. Choices are (chosen, offered), chosen among offered.

    ValueError for more than MOST_LABELS labels: work and memory grow as 2^K.
    """
    names, made = sorted(labels), list(choices)
    if len(names) > MOST_LABELS:
        raise ValueError(f"{len(names)} labels: the exact posterior takes at most {MOST_LABELS}")
    places = _places(_factors(made, names, noise)) if made else [(len(names) + 1) / 2] * len(names)
    return dict(zip(names, map(float, places), strict=True))


@lru_cache(maxsize=MOST_LABELS)
def _lattice(count: int) -> tuple[Ints, tuple[Layer, ...]]:
    """(2^K, K) bits of every set, and by size 0..K: the sets (n,), their members (n, size), the others (n, rest)."""
    bits = (np.arange(1 << count)[:, None] >> np.arange(count)) & 1
    layers = []
    for size in range(count + 1):
        sets = np.nonzero(bits.sum(1) == size)[0]
        inside = np.nonzero(bits[sets])[1].reshape(len(sets), size)
        outside = np.nonzero(1 - bits[sets])[1].reshape(len(sets), count - size)
        layers.append((sets, inside, outside))
    return bits, tuple(layers)


def _factors(choices: Iterable[Choice], names: Sequence[str], noise: float) -> Floats:
    """(2^K, K) log likelihood of the choices that placing a label next, after a set, decides."""
    place = {name: index for index, name in enumerate(names)}
    offers, gains = [], []
    for chosen, offered in choices:
        wrong = log(noise / len(offered))
        right = log(1 - noise + noise / len(offered))
        offers.append([name in offered for name in names])
        gains.append([wrong if name in offered else 0.0 for name in names])
        gains[-1][place[chosen]] = right
    undecided = _lattice(len(names))[0] @ np.array(offers, dtype=np.int64).T == 0
    found: Floats = undecided @ np.array(gains, dtype=np.float64)
    return found


def _places(factors: Floats) -> Floats:
    """(2^K, K) log factors -> (K,) mean places: mass that reaches a set, times a step, times mass that leaves it."""
    count = factors.shape[1]
    _, layers = _lattice(count)
    ahead, behind = np.zeros(1 << count), np.zeros(1 << count)
    for sets, inside, _ in layers[1:]:
        before = sets[:, None] - (1 << inside)
        ahead[sets] = np.logaddexp.reduce(ahead[before] + factors[before, inside], axis=1)
    places = np.zeros(count)
    for size, (sets, _, outside) in reversed(list(enumerate(layers[:-1]))):
        leaving = factors[sets[:, None], outside] + behind[sets[:, None] + (1 << outside)]
        behind[sets] = np.logaddexp.reduce(leaving, axis=1)
        mass = np.exp(leaving + ahead[sets][:, None] - ahead[-1])
        places += (size + 1) * np.bincount(outside.ravel(), mass.ravel(), minlength=count)
    return places
