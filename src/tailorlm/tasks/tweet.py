"""The demo's tweet: something that happened to the post with this user's opener, emoji and length.

The score is exact match. Source: issue 2 section 3.
"""

from collections.abc import Sequence

from tailorlm.metrics.classification import matches
from tailorlm.metrics.style import same_emoji, same_length, same_opener, style
from tailorlm.metrics.text import text_scores
from tailorlm.tasks.task import Task, as_is, framed

OPENERS = ("honestly", "wow", "ok so", "guess what")
ATTRIBUTES = {"opener": same_opener(OPENERS), "emoji": same_emoji, "length": same_length}


def metrics(predictions: Sequence[str], targets: Sequence[str]) -> dict[str, float]:
    """ROUGE and exact match, and beside them the share of rows right in each attribute of style."""
    return text_scores(predictions, targets) | style(predictions, targets, ATTRIBUTES)


TASK = Task(
    name="tweet",
    description="Write a short post about something that happened, with this user's opener, emoji and length.",
    labels=None,
    prompt=framed("Write a post: "),
    pair=as_is,
    metrics=metrics,
    score=matches,
    max_new_tokens=48,
)
