"""Exact posterior of a personal ranking from what was chosen among what, under a uniform prior over rankings.

The user picks the best-ranked offered label, or, with probability `noise`, any offered one. The sum over all
K! rankings is a forward-backward pass over the 2^K sets of labels already placed, best first: placing label
c next decides every choice that offers c and none of the labels placed before. Posterior mean places
predict the next choice better than rates or Bradley-Terry scores (docs/profiles.md). Knows nothing of texts
or users.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import log

import numpy as np
from numpy.typing import NDArray

Choice = tuple[str, frozenset[str]]
MOST_LABELS = 10
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def expected_places(choices: Iterable[Choice], labels: Iterable[str], noise: float = 0.1) -> dict[str, float]:
    """Posterior mean place (1 is best) of each label. Choices are (chosen, offered), chosen among offered.

    ValueError for more than MOST_LABELS labels: work and memory grow as 2^K.
    """
    names, made = sorted(labels), list(choices)
    if len(names) > MOST_LABELS:
        raise ValueError(f"{len(names)} labels: the exact posterior takes at most {MOST_LABELS}")
    places = _places(_factors(made, names, noise)) if made else [(len(names) + 1) / 2] * len(names)
    return dict(zip(names, map(float, places), strict=True))


@dataclass(frozen=True, slots=True)
class Layer:
    """The n sets of one size: steps into them from sets one smaller, out of them to sets one larger.

    A step's number is its set times K plus the label that it adds.
    """

    sets: Ints  # (n,)
    before: Ints  # (n, size) the smaller sets
    entering: Ints  # (n, size) step numbers
    after: Ints  # (n, K - size) the larger sets
    leaving: Ints  # (n, K - size) step numbers
    added: Ints  # (n * (K - size),) labels


@lru_cache(maxsize=MOST_LABELS)
def _lattice(count: int) -> tuple[Ints, tuple[Layer, ...]]:
    """(2^K, K) bits of every set of labels, and the sets by size 0..K."""
    bits = (np.arange(1 << count)[:, None] >> np.arange(count)) & 1
    return bits, tuple(_layer(bits, size) for size in range(count + 1))


def _layer(bits: Ints, size: int) -> Layer:
    count = bits.shape[1]
    sets = np.nonzero(bits.sum(1) == size)[0]
    inside = np.nonzero(bits[sets])[1].reshape(len(sets), size)
    outside = np.nonzero(1 - bits[sets])[1].reshape(len(sets), count - size)
    before = sets[:, None] - (1 << inside)
    return Layer(
        sets, before, before * count + inside,
        sets[:, None] + (1 << outside), sets[:, None] * count + outside, outside.ravel(),
    )  # fmt: skip


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
    """(2^K, K) log factors -> (K,) mean places: mass that reaches a set, times a step, times mass that
    leaves it.
    """
    count = factors.shape[1]
    _, layers = _lattice(count)
    steps = factors.ravel()
    ahead, behind, places = np.zeros(1 << count), np.zeros(1 << count), np.zeros(count)
    for layer in layers[1:]:
        ahead[layer.sets] = np.logaddexp.reduce(ahead[layer.before] + steps[layer.entering], axis=1)
    for size in reversed(range(count)):
        layer = layers[size]
        leaving = steps[layer.leaving] + behind[layer.after]
        behind[layer.sets] = np.logaddexp.reduce(leaving, axis=1)
        mass = np.exp(leaving + (ahead[layer.sets] - ahead[-1])[:, None])
        places += (size + 1) * np.bincount(layer.added, mass.ravel(), minlength=count)
    return places
