"""LaMP-6, email subject: an email's text to the subject that its writer gave it.

Source: LaMP (Salemi et al., 2024), official input string; reference section 4.
"""

from tailorlm.metrics.text import rouge_score, text_scores
from tailorlm.tasks.task import Task, after, asked

INSTRUCTION = "Generate a subject for the following email: "

TASK = Task(
    name="lamp_6",
    labels=None,
    prompt=after("email: ", "lamp_6"),
    pair=asked(INSTRUCTION),
    metrics=text_scores,
    score=rouge_score,
    max_new_tokens=48,
)
