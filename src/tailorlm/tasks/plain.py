"""Any input as the prompt, any text as the answer: the task of data that names none.

Source: docs/architecture.md.
"""

from tailorlm.metrics.text import rouge_score, text_scores
from tailorlm.tasks.task import Task, as_is, whole

TASK = Task(
    name="plain",
    description="Answer what is asked as this user would answer it.",
    labels=None,
    prompt=whole,
    pair=as_is,
    metrics=text_scores,
    score=rouge_score,
    max_new_tokens=256,
)
