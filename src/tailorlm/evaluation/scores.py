"""One score in 0..1 for every answer: accuracy, exact match, nearness of a rating, and attributes of style.

Knows nothing of models, users' histories or files. Source: issue 2 section 3 (accuracy; exact match; 1 - MAE/4)
and LaMP's rules: exact, case-sensitive match after strip; an unreadable rating is the extreme farthest from gold.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

LOWEST, HIGHEST = 1.0, 5.0
EXACT = frozenset({"movie_tagging", "headline", "tweet"})
RATINGS = frozenset({"rating", "product_rating"})


@dataclass(frozen=True, slots=True)
class Answer:
    """What a method answered to one example, beside the gold answer; `score` is in 0..1."""

    example_id: str
    user_id: str
    task: str
    output: str
    target: str
    score: float


def score_answers(task_name: str, outputs: Sequence[str], targets: Sequence[str]) -> list[float]:
    """A score in 0..1 per row (N): 1 - |error|/4 for ratings, else 1 for an exact match and 0 otherwise.

    Raises ValueError for a task without a rule, unequal lengths, or a gold rating that is not in 1..5.
    """
    if len(outputs) != len(targets):
        raise ValueError(f"task {task_name!r}: {len(outputs)} outputs and {len(targets)} targets: unequal")
    if task_name in RATINGS:
        return nearness(outputs, targets)
    if task_name in EXACT:
        return exact(outputs, targets)
    raise ValueError(f"task {task_name!r} has no score: expected one of {', '.join(sorted(EXACT | RATINGS))}")


def exact(outputs: Sequence[str], targets: Sequence[str]) -> list[float]:
    """1.0 where output and target (N) are the same after strip, case-sensitive; else 0.0."""
    return [float(out.strip() == gold.strip()) for out, gold in zip(outputs, targets, strict=True)]


def nearness(outputs: Sequence[str], targets: Sequence[str]) -> list[float]:
    """1 - |output - target| / 4 per row (N), on the scale 1..5; the mean over rows is 1 - MAE/4.

    An output that is no number in 1..5 counts as the extreme farthest from gold; such a gold is a ValueError.
    """
    golds = [stars(gold) for gold in targets]
    if None in golds:
        raise ValueError(f"target {golds.index(None)} is not a rating: expected a number from 1 to 5")
    pairs = zip((stars(out) for out in outputs), (gold for gold in golds if gold is not None), strict=True)
    return [1.0 - error(out, gold) / (HIGHEST - LOWEST) for out, gold in pairs]


def error(rating: float | None, gold: float) -> float:
    """Stars between a rating and gold; of no rating, the way to the farther end of the scale."""
    return abs(rating - gold) if rating is not None else max(gold - LOWEST, HIGHEST - gold)


def stars(text: str) -> float | None:
    """The rating that `text` is, or None where it is no number in 1..5 (a sentence, "nan", "12")."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) and LOWEST <= value <= HIGHEST else None
