"""LaMP-3, product rating: a review to the score from 1 to 5 that its writer gave.

Source: LaMP (Salemi et al., 2024), official input string; reference section 4.
"""

from tailorlm.data.retrieval import Retrieval, labelled, said
from tailorlm.metrics.rating import nearness, number, rating
from tailorlm.tasks.task import Task, after, body, chosen

LABELS = ("1", "2", "3", "4", "5")
INSTRUCTION = (
    "What is the score of the following review on a scale of 1 to 5? just answer with 1, 2, 3, 4, or 5 "
    "without further explanation. review: "
)
PROMPT = after("review: ", "lamp_3")


def stars(text: str) -> str:
    """The label of a score in any of its spellings ("5.0", " 5"); other texts stay."""
    score = number(text)
    return f"{score:g}" if score is not None else text.strip()


TASK = Task(
    name="lamp_3",
    description="Predict the score from 1 to 5 that the writer of a review gave with it.",
    labels=LABELS,
    prompt=PROMPT,
    pair=chosen(INSTRUCTION, LABELS, stars),
    metrics=rating,
    score=nearness,
    max_new_tokens=8,
    retrieval=Retrieval(body(PROMPT), said, labelled("Review", "Score")),
)
