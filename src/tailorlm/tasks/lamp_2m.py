"""LaMP-2M, movie tagging: a movie's description to the one of 15 tags that this user would give it.

Source: LaMP (Salemi et al., 2024), official input string and label list; reference section 4.
"""

from functools import partial

from tailorlm.data.retrieval import Retrieval, labelled, said
from tailorlm.metrics.classification import classification, label_score
from tailorlm.tasks.task import Task, after, body, chosen

LABELS = (
    "sci-fi",
    "based on a book",
    "comedy",
    "action",
    "twist ending",
    "dystopia",
    "dark comedy",
    "classic",
    "psychology",
    "fantasy",
    "romance",
    "thought-provoking",
    "social commentary",
    "violence",
    "true story",
)
INSTRUCTION = (
    "Which tag does this movie relate to among the following tags? Just answer with the tag name without "
    f"further explanation. tags: [{', '.join(LABELS)}] description: "
)
PROMPT = after("description: ", "lamp_2m")

TASK = Task(
    name="lamp_2m",
    description=f"Choose the tag that this user would give a movie, of: {', '.join(LABELS)}.",
    labels=LABELS,
    prompt=PROMPT,
    pair=chosen(INSTRUCTION, LABELS),
    metrics=partial(classification, labels=LABELS),
    score=label_score(LABELS),
    max_new_tokens=16,
    retrieval=Retrieval(body(PROMPT), said, labelled("Movie", "Tag")),
)
