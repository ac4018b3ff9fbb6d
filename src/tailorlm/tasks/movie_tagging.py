"""The demo's movie tagging: the one of the tags that the input lists which this user ranks first.

Source: issue 2 section 3. The demo's generator takes the tags from here.
"""

from functools import partial

from tailorlm.metrics.classification import classification, label_score
from tailorlm.tasks.task import Task, chosen, framed

TAGS = ("adventure", "comedy", "crime", "drama", "horror", "romance", "space", "thriller")

TASK = Task(
    name="movie_tagging",
    description="Choose, from the tags listed, the one that this user would give a movie.",
    labels=TAGS,
    prompt=framed("Tag this movie: ", ". Tags: "),
    pair=chosen("", TAGS),
    metrics=partial(classification, labels=TAGS),
    score=label_score(TAGS),
    max_new_tokens=8,
)
