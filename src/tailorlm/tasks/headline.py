"""The demo's headline: a piece of news to the headline in this user's letter case and ending.

The score is exact match. Source: issue 2 section 3.
"""

from collections.abc import Sequence

from tailorlm.metrics.classification import matches
from tailorlm.metrics.style import same_case, same_ending, same_length, style
from tailorlm.metrics.text import text_scores
from tailorlm.tasks.task import Task, as_is, framed

ATTRIBUTES = {"case": same_case, "ending": same_ending, "length": same_length}


def metrics(predictions: Sequence[str], targets: Sequence[str]) -> dict[str, float]:
    """ROUGE and exact match, and beside them the share of rows right in each attribute of style."""
    return text_scores(predictions, targets) | style(predictions, targets, ATTRIBUTES)


TASK = Task(
    name="headline",
    description="Write a headline for a piece of news in the letter case and with the ending that this user prefers.",
    labels=None,
    prompt=framed("Write a headline: "),
    pair=as_is,
    metrics=metrics,
    score=matches,
    max_new_tokens=48,
)
