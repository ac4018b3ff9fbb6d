"""What every metric asks of its rows: as many predictions as targets, and at least one.

Knows nothing of what is measured.
"""

from collections.abc import Sequence


def check_rows(predictions: Sequence[str], targets: Sequence[str]) -> None:
    """Raises ValueError where the numbers of predictions and targets differ or there are none."""
    if len(predictions) != len(targets):
        raise ValueError(f"{len(predictions)} predictions for {len(targets)} targets: expected one for each")
    if not targets:
        raise ValueError("no rows: a metric needs at least one prediction and its target")


def mean(values: Sequence[float]) -> float:
    """The mean of N > 0 values."""
    return sum(values) / len(values)
