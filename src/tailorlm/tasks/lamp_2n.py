"""LaMP-2N, news categorisation: an article's text to the one of 15 categories of its author.

Source: LaMP (Salemi et al., 2024), official input string and label list; reference section 4.
"""

from functools import partial

from tailorlm.data.retrieval import Retrieval, labelled, said
from tailorlm.metrics.classification import classification, matches
from tailorlm.tasks.task import Task, after, body, chosen

LABELS = (
    "women",
    "religion",
    "politics",
    "style & beauty",
    "entertainment",
    "culture & arts",
    "sports",
    "science & technology",
    "travel",
    "business",
    "crime",
    "education",
    "healthy living",
    "parents",
    "food & drink",
)
INSTRUCTION = (
    "Which category does this article relate to among the following categories? Just answer with the "
    f"category name without any further explanation. categories: [{', '.join(LABELS)}] article: "
)
PROMPT = after("article: ", "lamp_2n")

TASK = Task(
    name="lamp_2n",
    description=f"Choose the category that this author would file a news article under, of: {', '.join(LABELS)}.",
    labels=LABELS,
    prompt=PROMPT,
    pair=chosen(INSTRUCTION, LABELS),
    metrics=partial(classification, labels=LABELS),
    score=matches,
    max_new_tokens=16,
    retrieval=Retrieval(body(PROMPT), said, labelled("Article", "Category")),
)
