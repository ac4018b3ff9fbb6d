"""What a population gives to the same words: expected ratings, by ridge regression on an input's words.

Lets a profile say "more generous than others" although no two users rated the same thing. Made from training
users only; those of all of them are kept with the checkpoint. A training user's own profile is made with norms that
hold nothing of that user (`fit_apart`), or targets would be part of it. Knows no ids; words of fewer than `rare`
users are not kept, so that no single user's words are stored. Source: Hoerl and Kennard 1970 (ridge).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tailorlm.data.records import Interaction
from tailorlm.profiles.norm_counts import WORD, Floats, Ints, Rated, gather

PARTS = 20
RIDGE = 3.0


@dataclass(frozen=True, slots=True)
class Norms:
    """An input's expected rating is `base` + the weights of its distinct words, within `low` to `high`."""

    base: float
    weights: Mapping[str, float]
    low: float
    high: float

    def expected(self, text: str) -> float:
        found = self.base + sum(self.weights.get(word, 0.0) for word in sorted(set(WORD.findall(text.lower()))))
        return min(self.high, max(self.low, found))


ByTask = dict[str | None, Norms]


def fit_norms(histories: Iterable[Sequence[Interaction]], words: int = 2000, rare: int = 5) -> ByTask:
    """Norms of every task whose outputs are numbers, from each training user's items. Empty when there is none."""
    found = gather(((0, history) for history in histories), 1, rare)
    return {task: _solved(rated, None, rated.kept(None, words, rare)) for task, rated in found.items() if rated.fit()}


def fit_apart(
    histories: Iterable[Sequence[Interaction]], parts: int = PARTS, words: int = 2000, rare: int = 5
) -> list[ByTask]:
    """Norms for training users' own profiles: user n (in the order given) uses `[n % parts]`.

    Those are fitted on everybody but users n % parts, n % parts + parts, ...: to the last bit the same whatever these
    have done. At most `parts` users: everybody but one.
    """
    found = gather(((n % parts, history) for n, history in enumerate(histories)), parts, rare)
    apart: list[ByTask] = [{} for _ in range(parts)]
    for task, rated in found.items():
        fits = [part for part in range(parts) if rated.fit(part)]
        kept = {part: rated.kept(part, words, rare) for part in fits}
        rated.narrow(sorted(set[int]().union(*map(set, kept.values()))))
        for part in fits:
            apart[part][task] = _solved(rated, part, kept[part])
    return apart


def _solved(rated: Rated, without: int | None, kept: Ints) -> Norms:
    """The ridge regression of everybody's items but those of part `without` on the words `kept`."""
    values = rated.ratings(without)
    gram, moment, mean = _centred(rated, without, kept, values)
    weights = np.linalg.solve(gram + RIDGE * np.eye(len(kept)), moment) if len(kept) else np.zeros(0)
    base = float(values.mean() - mean @ weights)
    names = [rated.words[word] for word in kept]
    return Norms(base, dict(zip(names, map(float, weights), strict=True)), float(values.min()), float(values.max()))


def _centred(rated: Rated, without: int | None, kept: Ints, values: Floats) -> tuple[Floats, Floats, Floats]:
    """Centred (W, W) Gram matrix, (W,) moments with the ratings and (W,) word rates."""
    counts = rated.count(without)[kept]
    mean = counts / len(values)
    gram = rated.gram(without, kept) - len(values) * np.outer(mean, mean)
    return gram, rated.moment(without)[kept] - counts * values.mean(), mean
