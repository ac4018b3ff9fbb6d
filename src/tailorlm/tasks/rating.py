"""The demo's rating: a review to the stars from 1 to 5 that this user gives; the score is 1 - error/4.

Source: issue 2 section 3.
"""

from tailorlm.metrics.rating import nearness, rating
from tailorlm.tasks.task import Task, as_is, framed

TASK = Task(
    name="rating",
    description="Predict the number of stars from 1 to 5 that this user would give with a review.",
    labels=("1", "2", "3", "4", "5"),
    prompt=framed("Rate this review from 1 to 5: "),
    pair=as_is,
    metrics=rating,
    score=nearness,
    max_new_tokens=8,
)
