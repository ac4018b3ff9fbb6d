"""LaMP-3, product rating: a review to the score from 1 to 5 that its writer gave.

Source: LaMP (Salemi et al., 2024), official input string; reference section 4.
"""

from tailorlm.data.retrieval import Retrieval, labelled, said
from tailorlm.metrics.rating import nearness, rating
from tailorlm.tasks.task import Task, after, body, chosen

LABELS = ("1", "2", "3", "4", "5")
INSTRUCTION = (
    "What is the score of the following review on a scale of 1 to 5? just answer with 1, 2, 3, 4, or 5 "
    "without further explanation. review: "
)
PROMPT = after("review: ", "lamp_3")

TASK = Task(
    name="lamp_3",
    description="Predict the score from 1 to 5 that the writer of a review gave with it.",
    labels=LABELS,
    prompt=PROMPT,
    pair=chosen(INSTRUCTION, LABELS),
    metrics=rating,
    score=nearness,
    max_new_tokens=8,
    retrieval=Retrieval(body(PROMPT), said, labelled("Review", "Score")),
)
