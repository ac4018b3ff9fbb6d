"""Empathic reactions: a news story to the essay in which this user says what they think and feel about it.

The data at hand has a story's number and not its text (data/empathic.py); the prompt says what is asked for.
Source: Buechel et al., 2018, through P2P section 4.1.
"""

from tailorlm.data.retrieval import Retrieval, labelled, said_and_given, whole_query
from tailorlm.metrics.text import rouge_score, text_scores
from tailorlm.tasks.task import Task, as_is, introduced

INSTRUCTION = "Write a short essay, 300 to 800 characters, on what you think and feel after this news story: "

TASK = Task(
    name="empathic",
    description="Write a short essay on what this user thinks and feels after reading a news story.",
    labels=None,
    prompt=introduced(INSTRUCTION),
    pair=as_is,
    metrics=text_scores,
    score=rouge_score,
    max_new_tokens=256,
    retrieval=Retrieval(whole_query, said_and_given, labelled("Story", "Essay")),
    judged=True,  # P2P table 3; no column of its tables 1 and 2
)
