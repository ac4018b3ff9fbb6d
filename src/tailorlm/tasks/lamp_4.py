"""LaMP-4, news headline: an article's text to the headline that its author gave it.

Source: LaMP (Salemi et al., 2024), official input string; reference section 4.
"""

from tailorlm.data.retrieval import Retrieval, given_and_said, labelled
from tailorlm.metrics.text import rouge_score, text_scores
from tailorlm.tasks.task import Task, after, asked, body

INSTRUCTION = "Generate a headline for the following article: "
PROMPT = after("article: ", "lamp_4")

TASK = Task(
    name="lamp_4",
    description="Write the headline that this author would put above a news article.",
    labels=None,
    prompt=PROMPT,
    pair=asked(INSTRUCTION),
    metrics=text_scores,
    score=rouge_score,
    max_new_tokens=64,
    retrieval=Retrieval(body(PROMPT), given_and_said, labelled("Article", "Headline")),
)
