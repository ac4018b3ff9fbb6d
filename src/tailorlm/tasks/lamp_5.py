"""LaMP-5, scholarly title: an abstract to the title that its author gave it.

Source: LaMP (Salemi et al., 2024), official input string; reference section 4.
"""

from tailorlm.data.retrieval import Retrieval, given_and_said, labelled
from tailorlm.metrics.text import rouge_score, text_scores
from tailorlm.tasks.task import Task, after, asked, body

INSTRUCTION = "Generate a title for the following abstract of a paper: "
PROMPT = after("paper: ", "lamp_5")

TASK = Task(
    name="lamp_5",
    description="Write the title that this researcher would give a paper with the abstract shown.",
    labels=None,
    prompt=PROMPT,
    pair=asked(INSTRUCTION),
    metrics=text_scores,
    score=rouge_score,
    max_new_tokens=64,
    retrieval=Retrieval(body(PROMPT), given_and_said, labelled("Abstract", "Title")),
)
