"""ROUGE-1 and ROUGE-L F-measure WITHOUT stemmer, and exact match, of written answers.

ROUGE's own words are runs of a-z and 0-9 in lower case: it sees no case, punctuation, emoji or
other script; a text without such words scores 0. rouge-score cuts texts into words and makes F of precision and
recall; its table of common subsequences took 19 ms for two texts of 280 words, so their length is found with bits
(Hyyrö, 2004), and tests hold every row equal to rouge-score's. Knows nothing of tasks. Source: LaMP, evaluation
of LaMP-4 to -7, with the mean over rows where theirs is a bootstrap median; reference section 4.
"""

from collections import Counter
from collections.abc import Sequence

from rouge_score.scoring import fmeasure
from rouge_score.tokenizers import DefaultTokenizer

from tailorlm.metrics.classification import matches
from tailorlm.metrics.rows import check_rows, mean


def rouge_rows(predictions: Sequence[str], targets: Sequence[str]) -> dict[str, list[float]]:
    """`rouge1` and `rougeL` F in 0..1 per row (N). Raises ValueError where rows do not pair up."""
    check_rows(predictions, targets)
    words = DefaultTokenizer(use_stemmer=False).tokenize
    rows = [(words(said.strip()), words(gold.strip())) for said, gold in zip(predictions, targets, strict=True)]
    return {
        "rouge1": [_f((Counter(said) & Counter(gold)).total(), said, gold) for said, gold in rows],
        "rougeL": [_f(longest_common(said, gold), said, gold) for said, gold in rows],
    }


def longest_common(one: Sequence[str], other: Sequence[str]) -> int:
    """The length of the longest common subsequence of two lists of words.

    Bit n of `row` is 0 where the n-th word of `one` adds to the subsequence with the words of `other` read so far.
    """
    places: dict[str, int] = {}
    for place, word in enumerate(one):
        places[word] = places.get(word, 0) | 1 << place
    full = (1 << len(one)) - 1
    row = full
    for word in other:
        met = row & places.get(word, 0)
        row = ((row + met) | (row - met)) & full
    return len(one) - row.bit_count()


def _f(common: int, said: Sequence[str], gold: Sequence[str]) -> float:
    return float(fmeasure(common / max(1, len(said)), common / max(1, len(gold))))


def rouge_score(predictions: Sequence[str], targets: Sequence[str]) -> list[float]:
    """(ROUGE-1 + ROUGE-L) / 2 per row (N): the average that PRISP's tables use."""
    rows = rouge_rows(predictions, targets)
    return [(one + longest) / 2 for one, longest in zip(rows["rouge1"], rows["rougeL"], strict=True)]


def text_scores(predictions: Sequence[str], targets: Sequence[str]) -> dict[str, float]:
    """Means over N rows of `rouge1`, `rougeL` and `exact_match` (case-sensitive, after strip).

    `invalid` is the number of empty answers.
    """
    means = {kind: mean(values) for kind, values in rouge_rows(predictions, targets).items()}
    empty = float(sum(not said.strip() for said in predictions))
    return means | {"exact_match": mean(matches(predictions, targets)), "invalid": empty}
