"""BM25: the k items of a history that are nearest to a query.

Exactly rank_bm25's Okapi, which LaMP uses: k1 1.5, b 0.75, words are what white space parts (case kept, no stemmer, no
stop words), idf log((N - n + .5)/(n + .5)), and where that is below zero (a word of more than half of the items) .25
times the mean idf of the vocabulary. Knows nothing of tasks. Source: reference section 4; Robertson and Zaragoza, 2009.

Decisions
- Equal scores: the newer item first. Scores are compared to nine decimals, so that no rounding decides.
- A query none of whose words occurs has score 0 everywhere and gets the newest items.
- In a history of two or three items nearly every word is in over half of them: the mean idf may be negative, and then
  shared words count against an item. So they do in rank_bm25.
"""

from collections.abc import Callable, Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from tailorlm.contexts.context import Request
from tailorlm.data.records import Interaction

K1, B, EPSILON = 1.5, 0.75, 0.25
Scores = NDArray[np.float64]


class Index:
    """The items of one history, ready to be searched. Documents and queries are lists of words."""

    def __init__(self, documents: Sequence[Sequence[str]]) -> None:
        """By word, the documents that have it and what it is worth there: `at[starts[w]:starts[w + 1]]` and `worth`."""
        self.count = len(documents)
        self.words: dict[str, int] = {}
        ids = [self.words.setdefault(word, len(self.words)) for words in documents for word in words]
        lengths = np.array([len(words) for words in documents], dtype=np.int64)
        pairs = np.array(ids, dtype=np.int64) * self.count + np.repeat(np.arange(self.count), lengths)
        found, times = np.unique(pairs, return_counts=True)
        word, self.at = np.divmod(found, max(1, self.count))
        having = np.bincount(word, minlength=len(self.words))  # items that have the word
        self.starts = np.concatenate([[0], np.cumsum(having)])
        room = K1 * (1 - B + B * lengths / lengths.mean()) if ids else np.zeros(self.count)
        self.worth = np.repeat(_idf(having, self.count), having) * times * (K1 + 1) / (times + room[self.at])

    def scores(self, query: Sequence[str]) -> Scores:
        """(items,) float64; a word counts as often as the query has it."""
        found: Scores = np.zeros(self.count)
        for word in (self.words[one] for one in query if one in self.words):
            own = slice(self.starts[word], self.starts[word + 1])
            found[self.at[own]] += self.worth[own]
        return found

    def best(self, query: Sequence[str], k: int) -> list[int]:
        """The places of the k best documents, best first; of equals the later one first."""
        scores = np.round(self.scores(query), 9)
        found: list[int] = np.lexsort((-np.arange(self.count), -scores))[:k].tolist()
        return found


def _idf(having: NDArray[np.int64], items: int) -> Scores:
    """Okapi's (words,), a quarter of the mean where it is below zero."""
    idf: Scores = np.log(items - having + 0.5) - np.log(having + 0.5)
    if (idf < 0).any():
        idf[idf < 0] = EPSILON * idf.mean()
    return idf


def top(requests: Sequence[Request], k: int) -> list[list[Interaction]]:
    """For each request (N) the k past items of its task that are nearest to it, best first; all where there are fewer.

    Requests of one user at one time share an index. ValueError for k below 1.
    """
    check_count(k)
    index = lru_cache(maxsize=64)(_index)
    found = []
    for request in requests:
        items, use = request.related, request.retrieval
        places = index(items, use.document).best(use.query(request.example.input).split(), k)
        found.append([items[place] for place in places])
    return found


def check_count(k: int) -> None:
    """ValueError for fewer than one item."""
    if k < 1:
        raise ValueError(f"k is {k}: expected at least 1 retrieved item")


def _index(items: tuple[Interaction, ...], document: Callable[[Interaction], str]) -> Index:
    return Index([document(item).split() for item in items])
