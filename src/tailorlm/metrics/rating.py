"""MAE and RMSE of rating answers, as LaMP-3's official evaluation counts them, and a score in 0..1 per
row.

An answer is read with float(). One that cannot be read (or is not finite, or 1e100 and more) counts as the extreme
farthest from gold, and in the middle as the higher one. Knows nothing of tasks. Source: LaMP,
evaluation of LaMP-3; reference section 4.
"""

import math
from collections.abc import Sequence

from tailorlm.metrics.rows import check_rows, mean

LOW, HIGH = 1.0, 5.0
ABSURD = 1e100


def number(text: str) -> float | None:
    """What float() reads in `text`, or None where it reads nothing, or nothing that means stand (1e100 and beyond)."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if abs(value) < ABSURD else None


def farthest(gold: float, low: float = LOW, high: float = HIGH) -> float:
    """The end of the scale that is farthest from `gold`; the higher one in the middle."""
    return low if gold - low > high - gold else high


def errors(predictions: Sequence[str], targets: Sequence[str], low: float = LOW, high: float = HIGH) -> list[float]:
    """Absolute errors (N), official: a readable answer beyond the scale counts with its value.

    Raises ValueError where rows do not pair up or a target is no number of the scale.
    """
    golds = _golds(predictions, targets, low, high)
    said = [number(text) for text in predictions]
    return [_error(value, gold, low, high) for value, gold in zip(said, golds, strict=True)]


def rating(
    predictions: Sequence[str], targets: Sequence[str], low: float = LOW, high: float = HIGH
) -> dict[str, float]:
    """`mae` and `rmse` in units of the scale, and the number of `invalid` (unreadable) answers, of N rows.

    Raises as `errors` does.
    """
    distances = errors(predictions, targets, low, high)
    return {
        "mae": mean(distances),
        "rmse": math.sqrt(mean([distance**2 for distance in distances])),
        "invalid": float(sum(number(text) is None for text in predictions)),
    }


def nearness(predictions: Sequence[str], targets: Sequence[str], low: float = LOW, high: float = HIGH) -> list[float]:
    """1 - error / (high - low) per row (N), always in 0..1: 1 - MAE/4 on the scale from 1 to 5.

    Here an answer beyond the scale counts like an unreadable one. Raises as `errors` does.
    """
    golds = _golds(predictions, targets, low, high)
    said = [number(text) for text in predictions]
    inside = [value if value is not None and low <= value <= high else None for value in said]
    return [1 - _error(value, gold, low, high) / (high - low) for value, gold in zip(inside, golds, strict=True)]


def _error(value: float | None, gold: float, low: float, high: float) -> float:
    return abs((farthest(gold, low, high) if value is None else value) - gold)


def _golds(predictions: Sequence[str], targets: Sequence[str], low: float, high: float) -> list[float]:
    check_rows(predictions, targets)
    golds = []
    for row, text in enumerate(targets):
        gold = number(text)
        if gold is None or not low <= gold <= high:
            raise ValueError(f"target of row {row} is no rating: expected a number from {low:g} to {high:g}")
        golds.append(gold)
    return golds
