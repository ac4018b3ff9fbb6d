"""LaMP-2N, news categorisation: an article's text to the one of 15 categories of its author.

A history item has a title, too (`data/titled.py`); questions have none, and neither do pairs. It is searched in and
shown, as in LaMP's own retrieval.
Source: LaMP (Salemi et al., 2024), official input string and label list; reference section 4.
"""

from dataclasses import replace
from functools import partial
from random import Random

from tailorlm.data.records import Interaction
from tailorlm.data.retrieval import Retrieval
from tailorlm.data.titled import parts
from tailorlm.metrics.classification import classification, label_score
from tailorlm.tasks.task import Pair, Pool, Task, after, body, chosen

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


def pair(item: Interaction, pool: Pool, rng: Random) -> Pair | None:
    """The text without its title, and the category; None where there is no text, or the category is none of the 15."""
    return chosen(INSTRUCTION, LABELS)(replace(item, input=parts(item.input)[1]), pool, rng)


def document(item: Interaction) -> str:
    """The title and the text."""
    return " ".join(parts(item.input)).strip()


def shown(item: Interaction) -> str:
    """Title, text and category, a line each; an empty part has no line."""
    named = zip(("Title", "Article", "Category"), (*parts(item.input), item.output), strict=True)
    return "\n".join(f"{name}: {text}" for name, text in named if text.strip())


TASK = Task(
    name="lamp_2n",
    description=f"Choose the category that this author would file a news article under, of: {', '.join(LABELS)}.",
    labels=LABELS,
    prompt=PROMPT,
    pair=pair,
    metrics=partial(classification, labels=LABELS),
    score=label_score(LABELS),
    max_new_tokens=16,
    retrieval=Retrieval(body(PROMPT), document, shown),
)
