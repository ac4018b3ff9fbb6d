"""LaMP-5, scholarly title: an abstract to the title that its author gave it.

Source: LaMP (Salemi et al., 2024), official input string; reference section 4.
"""

from tailorlm.metrics.text import rouge_score, text_scores
from tailorlm.tasks.task import Task, after, asked

INSTRUCTION = "Generate a title for the following abstract of a paper: "

TASK = Task(
    name="lamp_5",
    labels=None,
    prompt=after("paper: ", "lamp_5"),
    pair=asked(INSTRUCTION),
    metrics=text_scores,
    score=rouge_score,
    max_new_tokens=64,
)
