"""One score in 0..1 for every answer, and the share of answers right in each attribute of style.

Knows nothing of models, histories or files; the rules themselves are in metrics/. Source: issue 2 section 3
(accuracy; exact match with per-attribute accuracy beside; 1 - MAE/4).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tailorlm.metrics.classification import matches
from tailorlm.metrics.rating import nearness
from tailorlm.metrics.style import Same, same_case, same_emoji, same_ending, same_length, same_opener, style

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

    An output that is no number in 1..5 counts as the extreme farthest from gold. Raises ValueError for a task
    without a rule, rows that do not pair up, no rows, or a gold rating that is not in 1..5.
    """
    if task_name in RATINGS:
        return nearness(outputs, targets)
    if task_name in EXACT:
        return matches(outputs, targets)
    raise ValueError(f"task {task_name!r} has no score: expected one of {', '.join(sorted(EXACT | RATINGS))}")


def attributes(
    task_name: str, outputs: Sequence[str], targets: Sequence[str], openers: Sequence[str] = ()
) -> dict[str, float]:
    """Share of rows (N) right in each attribute of a written task; {} for a task that has none.

    `openers` are those that the data may begin with. Raises ValueError where rows do not pair up.
    """
    compared = comparisons(task_name, openers)
    return style(outputs, targets, compared) if compared else {}


def comparisons(task_name: str, openers: Sequence[str]) -> Mapping[str, Same]:
    """What is compared for a task: a headline's case and ending; a tweet's opener, emoji and length."""
    if task_name == "headline":
        return {"case": same_case, "ending": same_ending}
    if task_name == "tweet":
        return {"opener": same_opener(openers), "emoji": same_emoji, "length": same_length}
    return {}
