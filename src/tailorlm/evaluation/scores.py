"""One score in 0..1 for every answer, and the share of answers right in each attribute of style.

Knows nothing of models, histories or files; a task's file says how its answers are scored. Source: issue 2
section 3 (accuracy; exact match with per-attribute accuracy beside; 1 - MAE/4).
"""

from collections.abc import Sequence
from dataclasses import dataclass

from tailorlm.assembly.datasets import task_of
from tailorlm.metrics.rating import nearness

STYLE = ("case", "ending", "opener", "emoji", "length")
"""The attributes among what tasks measure; their order on the page."""
COUNTS = frozenset({"invalid", "unparsable", "failed", "judged"})
"""Metrics that are numbers of answers."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a method answered to one example, beside the gold answer; `score` is in 0..1."""

    example_id: str
    user_id: str
    task: str
    output: str
    target: str
    score: float


def score_answers(task_name: str | None, outputs: Sequence[str], targets: Sequence[str]) -> list[float]:
    """A score in 0..1 per row (N): 1 - |error|/4 for ratings, an exact match for labels and the demo's texts.

    LaMP's texts and those of a user's own task have ROUGE; a rating that is no number in 1..5 counts as the
    extreme farthest from gold. Raises ValueError where rows do not pair up, there are none, or a gold rating
    is not in 1..5.
    """
    return task_of(task_name).score(outputs, targets)


def attributes(task_name: str | None, outputs: Sequence[str], targets: Sequence[str]) -> dict[str, float]:
    """Share of rows (N) right in each attribute of a written task's style; {} for a task that has none."""
    found = task_of(task_name).metrics(outputs, targets)
    return {name: found[name] for name in STYLE if name in found}


def is_rating(task_name: str | None) -> bool:
    """Whether a task's answers are stars, of which one off is better than two."""
    return task_of(task_name).score is nearness
