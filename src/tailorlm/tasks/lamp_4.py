"""LaMP-4, news headline: an article's text to the headline that its author gave it.

Source: LaMP (Salemi et al., 2024), official input string; reference section 4.
"""

from tailorlm.metrics.text import rouge_score, text_scores
from tailorlm.tasks.task import Task, after, asked

INSTRUCTION = "Generate a headline for the following article: "

TASK = Task(
    name="lamp_4",
    labels=None,
    prompt=after("article: ", "lamp_4"),
    pair=asked(INSTRUCTION),
    metrics=text_scores,
    score=rouge_score,
    max_new_tokens=64,
)
