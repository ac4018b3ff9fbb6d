"""LongLaMP review writing: rating, product and summary to the review that this user would write.

Only the product's description may be shortened. History items are in the official words already
(data/longlamp.py). Source: LongLaMP (Kumar et al., 2024), official input string; reference sections 3 and 4.
"""

from tailorlm.backbone.prompt import Prompt
from tailorlm.data.records import Interaction
from tailorlm.data.retrieval import Retrieval
from tailorlm.metrics.text import rouge_score, text_scores
from tailorlm.tasks.task import Task, as_is, body

RATING = 'Generate the review text written by a reviewer who has given an overall rating of "'
PRODUCT = '" for a product with description "'
SUMMARY = '". The summary of the review text is "'


def prompt(text: str) -> Prompt:
    """The product's description is the body; another form of input is all body."""
    rating, found, rest = text.partition(PRODUCT)
    product, found_too, summary = rest.rpartition(SUMMARY)
    if not (found and found_too and rating.startswith(RATING)):
        return Prompt(text)
    return Prompt(product, head=rating + found, tail=found_too + summary)


def document(item: Interaction) -> str:
    """The product's description and the review."""
    return f"{parts(prompt(item.input))[1]} {item.output}".strip()


def shown(item: Interaction) -> str:
    """The three parts and the review, a line each; an empty part has no line."""
    named = zip(("Rating", "Product", "Summary", "Review"), (*parts(prompt(item.input)), item.output), strict=True)
    return "\n".join(f"{name}: {text}" for name, text in named if text.strip())


def parts(asked: Prompt) -> tuple[str, str, str]:
    """(rating, product, summary) of a prompt; one in another form is all product."""
    rating = asked.head.removeprefix(RATING).removesuffix(PRODUCT)
    return rating, asked.body, asked.tail.removeprefix(SUMMARY).removesuffix('".')


TASK = Task(
    name="longlamp_review",
    description="Write the review that this user would write of a product, given their rating and a short summary.",
    labels=None,
    prompt=prompt,
    pair=as_is,
    metrics=text_scores,
    score=rouge_score,
    max_new_tokens=512,
    retrieval=Retrieval(body(prompt), document, shown),
)
