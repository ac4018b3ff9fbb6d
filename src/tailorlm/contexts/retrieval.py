"""BM25: the k items of a history that are nearest to a query.

Exactly rank_bm25's Okapi, which LaMP uses: k1 1.5, b 0.75, words are what white space parts (case kept, no stemmer, no
stop words), idf log((N - n + .5)/(n + .5)), and where that is below zero (a word of more than half of the items) .25
times the mean idf of the vocabulary. bm25s has the term weights but not this idf ("robertson" has 0 for the floor), so
its index gets it here. Knows nothing of tasks. Source: reference section 4; Robertson and Zaragoza, 2009.

Decisions
- Equal scores: the newer item first. Scores are compared to nine decimals, so that no rounding decides.
- A query none of whose words occurs has score 0 everywhere and gets the newest items.
- In a history of two or three items nearly every word is in over half of them: the mean idf may be negative, and then
  shared words count against an item. So they do in rank_bm25.
"""

from collections.abc import Callable, Sequence
from functools import lru_cache

import bm25s
import numpy as np
from numpy.typing import NDArray

from tailorlm.contexts.context import Request
from tailorlm.data.records import Interaction

K1, B, EPSILON = 1.5, 0.75, 0.25
Scores = NDArray[np.float64]


class Index:
    """The items of one history, ready to be searched. Documents and queries are lists of words."""

    def __init__(self, documents: Sequence[Sequence[str]]) -> None:
        self.count = len(documents)
        self.words: dict[str, int] = {}
        ids = [[self.words.setdefault(word, len(self.words)) for word in words] for words in documents]
        self.bm25 = bm25s.BM25(k1=K1, b=B, method="atire", idf_method="lucene", dtype="float64")
        if self.words:
            self.bm25.index((ids, self.words), create_empty_token=False, show_progress=False)
            _to_okapi(self.bm25.scores)

    def scores(self, query: Sequence[str]) -> Scores:
        """(items,) float64; a word counts as often as the query has it."""
        known = [self.words[word] for word in query if word in self.words]
        found: Scores = self.bm25.get_scores_from_ids(known) if known else np.zeros(self.count)
        return found

    def best(self, query: Sequence[str], k: int) -> list[int]:
        """The places of the k best documents, best first; of equals the later one first."""
        scores = np.round(self.scores(query), 9).tolist()
        return sorted(range(self.count), key=lambda place: (-scores[place], -place))[:k]


def _to_okapi(index: dict[str, NDArray[np.float64]]) -> None:
    """Weights with bm25s's Lucene idf, which is never 0, become weights with Okapi's; `index` is by word."""
    having = np.diff(index["indptr"]).astype(np.float64)  # items that have the word
    lacking = int(index["num_docs"]) - having
    okapi = np.log(lacking + 0.5) - np.log(having + 0.5)
    okapi[okapi < 0] = EPSILON * okapi.mean()
    lucene = np.log1p((lacking + 0.5) / (having + 0.5))
    index["data"] *= np.repeat(okapi / lucene, having.astype(np.int64))


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
