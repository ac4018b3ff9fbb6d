"""Counts that rating norms are fitted on, by parts of the users, so that a part can be taken away without a trace.

Counts are integers, which subtract exactly; sums of ratings are added up over the parts that stay. What is left
without a part is therefore the same to the last bit whatever its users wrote. Knows nothing of ids or of regression.
"""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from tailorlm.data.records import Interaction
from tailorlm.profiles.number import number

WORD = re.compile(r"\w+")
BLOCK = 4096

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass
class Part:
    """A part's items of one task: words (numbers) and rating of each; `others`: items whose output is no number."""

    rows: list[Ints] = field(default_factory=list)
    ratings: list[float] = field(default_factory=list)
    others: int = 0
    users: Counter[int] = field(default_factory=Counter)


class Rated:
    """One task's items by part; W `words`, sorted, are those that enough users have."""

    def __init__(self, parts: Sequence[Part], vocabulary: Sequence[str], rare: int) -> None:
        users = sum((part.users for part in parts), Counter[int]())
        named = sorted((vocabulary[word], word) for word, count in users.items() if count >= rare)
        self.words = [name for name, _ in named]
        place = np.full(len(vocabulary), -1)
        place[[word for _, word in named]] = np.arange(len(named))
        self.rows = [[found[found >= 0] for found in (place[row] for row in part.rows)] for part in parts]
        self.values = [np.array(part.ratings, dtype=np.float64) for part in parts]
        self.others = np.array([part.others for part in parts])
        self.users = np.array([[part.users[word] for _, word in named] for part in parts]).reshape(len(parts), -1)
        self.counts = np.array([self._sums(rows, None) for rows in self.rows]).round().astype(np.int64)
        self.moments = np.array([self._sums(*pair) for pair in zip(self.rows, self.values, strict=True)])
        self._columns: Ints | None = None
        self._total: Floats | None = None

    def _sums(self, rows: Sequence[Ints], values: Floats | None) -> Floats:
        """(W,) of each word the number of rows, or the sum of their values, added in the order of rows."""
        weights = None if values is None else np.repeat(values, [len(row) for row in rows])
        every = np.concatenate([np.zeros(0, dtype=np.int64), *rows])
        return np.bincount(every, weights, len(self.words)).astype(np.float64)

    def _staying(self, without: int | None) -> list[int]:
        return [part for part in range(len(self.rows)) if part != without]

    def fit(self, without: int | None = None) -> bool:
        """Whether those who stay mostly give numbers."""
        stay = self._staying(without)
        return bool(self.others[stay].sum() * 5 < sum(len(self.values[part]) for part in stay))

    def kept(self, without: int | None, words: int, rare: int) -> Ints:
        """The places of the `words` commonest words which `rare` users have and not every item; ties by name."""
        counts, users = self.count(without), self.users[self._staying(without)].sum(0)
        fine = np.flatnonzero((users >= rare) & (counts < len(self.ratings(without))))
        return fine[np.argsort(-counts[fine], kind="stable")][:words]

    def ratings(self, without: int | None) -> Floats:
        """The ratings of those who stay."""
        return np.concatenate([np.zeros(0), *(self.values[part] for part in self._staying(without))])

    def count(self, without: int | None) -> Ints:
        """(W,) items that have each word."""
        found: Ints = self.counts[self._staying(without)].sum(0)
        return found

    def moment(self, without: int | None) -> Floats:
        """(W,) sums of the ratings of the items that have each word."""
        found = np.zeros(len(self.words))
        for part in self._staying(without):
            found += self.moments[part]
        return found

    def narrow(self, columns: Sequence[int]) -> None:
        """Count pairs of these words from now on, once for all parts together."""
        self._columns = np.array(columns, dtype=np.int64)
        self._total = self._pairs(chain.from_iterable(self.rows), self._columns)

    def gram(self, without: int | None, kept: Ints) -> Floats:
        """(K, K) items that have both of two `kept` words; with a part away, words that `narrow` was told."""
        if without is None:
            return self._pairs(chain.from_iterable(self.rows), kept)
        if self._columns is None or self._total is None:
            raise RuntimeError("pairs are not counted yet: call narrow first")
        at = np.searchsorted(self._columns, kept)
        return self._total[np.ix_(at, at)] - self._pairs(self.rows[without], kept)

    def _pairs(self, rows: Iterable[Ints], columns: Ints) -> Floats:
        place = np.full(len(self.words), -1)
        place[columns] = np.arange(len(columns))
        every, gram = list(rows), np.zeros((len(columns), len(columns)))
        for start in range(0, len(every), BLOCK):
            part = every[start : start + BLOCK]
            block = np.zeros((len(part), len(columns)))
            for row, found in enumerate(part):
                here = place[found]
                block[row, here[here >= 0]] = 1.0
            gram += block.T @ block
        return gram


def gather(histories: Iterable[tuple[int, Sequence[Interaction]]], parts: int, rare: int) -> dict[str | None, Rated]:
    """Users' items, (part, history) each, by task; `rare`: users that a word must have to be counted at all."""
    numbers: dict[str, int] = {}
    tasks: dict[str | None, list[Part]] = {}
    for part, history in histories:
        own: dict[str | None, set[int]] = {}
        for item in history:
            to = tasks.setdefault(item.task, [Part() for _ in range(parts)])[part]
            value = number(item.output)
            if value is None:
                to.others += 1
                continue
            words = sorted({numbers.setdefault(word, len(numbers)) for word in WORD.findall(item.input.lower())})
            own.setdefault(item.task, set()).update(words)
            to.rows.append(np.array(words, dtype=np.int64))
            to.ratings.append(value)
        for task, seen in own.items():
            tasks[task][part].users.update(seen)
    vocabulary = list(numbers)
    return {task: Rated(found, vocabulary, rare) for task, found in tasks.items()}
