"""Accuracy and F1 of label answers, as LaMP's official evaluation counts them.

An answer counts by exact, case-sensitive match after strip; one that is no label is wrong and
counted as `invalid`. Macro F1 runs over the task's FULL label list (a label without answers and
golds counts 0); the weighted F1 of the P2P paper stands beside it. Knows nothing of tasks. Source:
LaMP, evaluation of LaMP-1 and -2; reference section 4.
"""

from collections.abc import Callable, Sequence

from sklearn.metrics import f1_score

from tailorlm.metrics.rows import check_rows, mean


def matches(predictions: Sequence[str], targets: Sequence[str]) -> list[float]:
    """1.0 where prediction and target (N) are equal after strip, case included, else 0.0."""
    check_rows(predictions, targets)
    return [float(said.strip() == gold.strip()) for said, gold in zip(predictions, targets, strict=True)]


def label_score(labels: Sequence[str]) -> Callable[[Sequence[str], Sequence[str]], list[float]]:
    """As `matches`, and ValueError for a target that is none of the labels: no answer could be right or wrong."""
    places = _places(labels)

    def score(predictions: Sequence[str], targets: Sequence[str]) -> list[float]:
        for row, gold in enumerate(targets):
            _place(gold, row, places)
        return matches(predictions, targets)

    return score


def classification(predictions: Sequence[str], targets: Sequence[str], labels: Sequence[str]) -> dict[str, float]:
    """`accuracy`, `f1_macro`, `f1_weighted` in 0..1 and the number of `invalid` answers, of N rows.

    Raises ValueError where rows do not pair up, labels repeat, or a target is none of the labels.
    """
    hits = matches(predictions, targets)
    places = _places(labels)
    golds = [_place(gold, row, places) for row, gold in enumerate(targets)]
    said = [places.get(answer.strip(), -1) for answer in predictions]
    return {
        "accuracy": mean(hits),
        "f1_macro": _f1(golds, said, len(places), "macro"),
        "f1_weighted": _f1(golds, said, len(places), "weighted"),
        "invalid": float(said.count(-1)),
    }


def _places(labels: Sequence[str]) -> dict[str, int]:
    places = {label: place for place, label in enumerate(labels)}
    if not labels or len(places) != len(labels):
        raise ValueError(f"labels {list(labels)!r}: expected at least one, and each once")
    return places


def _place(gold: str, row: int, places: dict[str, int]) -> int:
    # The gold itself may be a user's text: only its row is told.
    if gold.strip() not in places:
        raise ValueError(f"target of row {row} is no label of the task: expected one of {', '.join(places)}")
    return places[gold.strip()]


def _f1(golds: list[int], said: list[int], labels: int, average: str) -> float:
    return float(f1_score(golds, said, labels=list(range(labels)), average=average, zero_division=0))
