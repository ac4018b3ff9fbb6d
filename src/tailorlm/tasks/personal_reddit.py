"""Personal Reddit: a question or remark of a conversation to the reply that this user would write.

Source: Staab et al., 2023, through P2P section 4.1; data/reddit.py.
"""

from tailorlm.data.retrieval import Retrieval, labelled, said_and_given, whole_query
from tailorlm.metrics.text import rouge_score, text_scores
from tailorlm.tasks.task import Task, as_is, whole

TASK = Task(
    name="personal_reddit",
    description="Reply in an online conversation as this user would, with their background and way of speaking.",
    labels=None,
    prompt=whole,
    pair=as_is,
    metrics=text_scores,
    score=rouge_score,
    max_new_tokens=256,
    retrieval=Retrieval(whole_query, said_and_given, labelled("Question", "Reply")),
    judged=True,  # P2P table 3; no column of its tables 1 and 2
)
