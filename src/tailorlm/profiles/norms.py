"""What a population gives to the same words: expected ratings, by ridge regression on an input's words.

Lets a profile say "more generous than others" although no two users rated the same thing. Made from training
users only and kept with the checkpoint. Knows nothing of single users; words in fewer than `rare` inputs
are not kept, so that no rare word of one user's text is stored. Source: Hoerl and Kennard 1970 (ridge).
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tailorlm.data.records import Interaction
from tailorlm.profiles.number import number

WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class Norms:
    """An input's expected rating is `base` + the weights of its distinct words, within `low` to `high`."""

    base: float
    weights: Mapping[str, float]
    low: float
    high: float

    def expected(self, text: str) -> float:
        found = self.base + sum(self.weights.get(word, 0.0) for word in set(WORD.findall(text.lower())))
        return min(self.high, max(self.low, found))


def fit_norms(
    items: Iterable[Interaction], words: int = 2000, rare: int = 5, ridge: float = 3.0
) -> dict[str | None, Norms]:
    """Norms of every task whose outputs are numbers, from training users' items. Empty when there is none."""
    rated: dict[str | None, list[tuple[frozenset[str], float]]] = {}
    other: Counter[str | None] = Counter()
    for item in items:
        value = number(item.output)
        if value is None:
            other[item.task] += 1
        else:
            rated.setdefault(item.task, []).append((frozenset(WORD.findall(item.input.lower())), value))
    return {task: _fit(pairs, words, rare, ridge) for task, pairs in rated.items() if other[task] * 5 < len(pairs)}


def _fit(pairs: Sequence[tuple[frozenset[str], float]], words: int, rare: int, ridge: float) -> Norms:
    counts = Counter(word for found, _ in pairs for word in found)
    common = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    kept = [word for word, count in common if rare <= count < len(pairs)][:words]
    place = {word: index for index, word in enumerate(kept)}
    values = np.array([value for _, value in pairs])
    gram, moment, mean = _moments(pairs, place, values)
    weights = np.linalg.solve(gram + ridge * np.eye(len(kept)), moment) if kept else np.zeros(0)
    base = float(values.mean() - mean @ weights)
    low, high = float(values.min()), float(values.max())
    return Norms(base, dict(zip(kept, map(float, weights), strict=True)), low, high)


def _moments(
    pairs: Sequence[tuple[frozenset[str], float]], place: Mapping[str, int], values: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Centred (W, W) Gram matrix, (W,) moments with the ratings and (W,) word rates, in blocks of rows."""
    size = len(place)
    gram, moment, total = np.zeros((size, size)), np.zeros(size), np.zeros(size)
    for start in range(0, len(pairs), 4096):
        part = pairs[start : start + 4096]
        block = np.zeros((len(part), size))
        for row, (found, _) in enumerate(part):
            block[row, [place[word] for word in found if word in place]] = 1.0
        gram += block.T @ block
        moment += block.T @ values[start : start + 4096]
        total += block.sum(0)
    mean = total / len(pairs)
    return gram - len(pairs) * np.outer(mean, mean), moment - total * values.mean(), mean
