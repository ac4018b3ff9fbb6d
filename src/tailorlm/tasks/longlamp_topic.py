"""LongLaMP topic writing: the summary or first sentence of a post to the post as this user would write it.

Pairs of history items ask as the data at hand does, for a blog post. An input in other words (LongLaMP's own asks for
a Reddit post) is all body. Source: LongLaMP (Kumar et al., 2024); reference sections 3 and 4.
"""

from tailorlm.data.retrieval import Retrieval, labelled, said_and_given
from tailorlm.metrics.text import rouge_score, text_scores
from tailorlm.tasks.task import Task, asked, body, framed

OPENING = "Generate the content for a blog post that opens with: "
PROMPT = framed(OPENING)

TASK = Task(
    name="longlamp_topic",
    description="Write a post in this user's own style from its topic or its first sentence.",
    labels=None,
    prompt=PROMPT,
    pair=asked(OPENING),
    metrics=text_scores,
    score=rouge_score,
    max_new_tokens=512,
    retrieval=Retrieval(body(PROMPT), said_and_given, labelled("Topic", "Post")),
)
