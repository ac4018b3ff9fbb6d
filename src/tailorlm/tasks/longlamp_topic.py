"""LongLaMP topic writing: the summary or first sentence of a post to the post as this user would write it.

LongLaMP asks for a Reddit post; its history items are in its words already (data/longlamp.py) and are their own pairs.
Pairs of other items ask for a blog post. An input in yet other words is all body.
Source: LongLaMP (Kumar et al., 2024); reference sections 3 and 4.
"""

from dataclasses import replace
from random import Random

from tailorlm.backbone.prompt import Prompt
from tailorlm.data.longlamp import REDDIT
from tailorlm.data.records import Interaction
from tailorlm.data.retrieval import Retrieval, labelled, said_and_given
from tailorlm.metrics.text import rouge_score, text_scores
from tailorlm.tasks.task import Pair, Pool, Task, as_is, asked, body, framed

OPENING = "Generate the content for a blog post that opens with: "


def prompt(text: str) -> Prompt:
    """The topic is the body."""
    return framed(REDDIT if text.startswith(REDDIT) else OPENING)(text)


def pair(item: Interaction, pool: Pool, rng: Random) -> Pair | None:
    """The topic as a question, and the post; None where either is empty."""
    make = as_is if item.input.startswith(REDDIT) else asked(OPENING)
    return make(item, pool, rng)


def bare(item: Interaction) -> Interaction:
    """The item with its topic alone."""
    return replace(item, input=prompt(item.input).body)


def document(item: Interaction) -> str:
    """The topic and the post."""
    return said_and_given(bare(item))


def shown(item: Interaction) -> str:
    """Topic and post, a line each; an empty part has no line."""
    return labelled("Topic", "Post")(bare(item))


TASK = Task(
    name="longlamp_topic",
    description="Write a post in this user's own style from its topic or its first sentence.",
    labels=None,
    prompt=prompt,
    pair=pair,
    metrics=text_scores,
    score=rouge_score,
    max_new_tokens=512,
    retrieval=Retrieval(body(prompt), document, shown),
)
