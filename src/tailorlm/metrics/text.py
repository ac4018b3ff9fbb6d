"""ROUGE-1 and ROUGE-L F-measure WITHOUT stemmer, and exact match, of written answers.

ROUGE's own words are runs of a-z and 0-9 in lower case: it sees no case, punctuation, emoji or
other script; a text without such words scores 0. Knows nothing of tasks. Source: LaMP, evaluation
of LaMP-4 to -7, with the mean over rows where theirs is a bootstrap median; reference section 4.
"""

from collections.abc import Sequence

from rouge_score.rouge_scorer import RougeScorer

from tailorlm.metrics.classification import matches
from tailorlm.metrics.rows import check_rows, mean

KINDS = ("rouge1", "rougeL")


def rouge_rows(predictions: Sequence[str], targets: Sequence[str]) -> dict[str, list[float]]:
    """`rouge1` and `rougeL` F in 0..1 per row (N). Raises ValueError where rows do not pair up."""
    check_rows(predictions, targets)
    scorer = RougeScorer(list(KINDS), use_stemmer=False)
    rows = [scorer.score(gold.strip(), said.strip()) for said, gold in zip(predictions, targets, strict=True)]
    return {kind: [float(row[kind].fmeasure) for row in rows] for kind in KINDS}


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
