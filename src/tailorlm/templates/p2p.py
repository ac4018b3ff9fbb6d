"""P2P's form: sections with headings, what is asked first, the form of the answer last.

The sections are the paper's, the sentences ours. It shows none for Personal Reddit and for LaMP-6: those stay official.
Source: P2P appendix J.
"""

import re
from collections.abc import Sequence
from dataclasses import replace

from tailorlm.backbone.prompt import Prompt
from tailorlm.tasks import lamp_1, lamp_2m, lamp_2n, lamp_7, longlamp_review
from tailorlm.templates.template import Reword, Template, around

ANSWER = "# Answer:\n"
ITEMS = re.compile(r'(.*?)"(?: using the following items: (.*?))?\.?\s*', re.DOTALL)
"""What follows the opening of an abstract's official input: the title, and in queries some key items."""


def sections(*parts: tuple[str, str]) -> str:
    """Each heading with its text, and an empty line."""
    return "".join(f"# {heading}:\n{text}\n\n" for heading, text in parts)


def asked(instruction: str, named: str, form: str, labels: Sequence[str] = (), listed: str = "") -> Reword:
    """The instruction, the labels where there are some, the body under the heading `named`, the answer's form."""
    choice = ((listed, ", ".join(labels)),) if labels else ()
    head = sections(("Instruction", instruction), *choice) + f"# {named}:\n"
    return around(head, "\n\n" + sections(("Output Format", form)) + ANSWER)


def citation(official: Prompt) -> Prompt:
    """The two candidates in a section of their own."""
    first, second = lamp_1.candidates(official)
    instruction = "Decide which of the two references is the one that the author of this paper would cite."
    options = sections(
        ("Options", f"[1]: {first}\n[2]: {second}"),
        ("Output Format", "Give [1] or [2] and nothing else."),
    )
    head = sections(("Instruction", instruction)) + "# Paper Title:\n"
    return replace(official, head=head, tail=f"\n\n{options}{ANSWER}")


def tweet(official: Prompt) -> Prompt:
    """A query asks for a paraphrase; a history item, which has nothing to paraphrase, for the tweet's rest."""
    completes = official.head == lamp_7.COMPLETE
    instruction = "Complete this tweet." if completes else "Say the following text again as a tweet."
    return asked(instruction, "Original Tweet", "Give the tweet and nothing else.")(official)


def abstract(official: Prompt) -> Prompt:
    """The title is the body; the key items, where there are some, follow it."""
    found = ITEMS.fullmatch(official.body)
    if found is None or not official.head:
        return official
    items = sections(("Key Items", found[2])) if found[2] else ""
    head = sections(("Instruction", "Write the abstract of the paper with this title.")) + "# Paper Title:\n"
    form = sections(("Output Format", "Give the abstract and nothing else, as plain text."))
    return replace(official, body=found[1], head=head, tail=f"\n\n{items}{form}{ANSWER}")


def review(official: Prompt) -> Prompt:
    """Rating and summary in sections of their own around the product, the body."""
    if not official.head:
        return official
    rating, _, summary = longlamp_review.parts(official)
    instruction = "Write the review that goes with this rating, product and summary."
    head = sections(("Instruction", instruction), ("Overall Rating", rating)) + "# Product Description:\n"
    form = ("Output Format", "Give the text of the review and nothing else, as plain text.")
    return replace(official, head=head, tail=f"\n\n{sections(('Review Summary', summary), form)}{ANSWER}")


TEMPLATE: Template = {
    "lamp_1": citation,
    "lamp_2m": asked(
        "Choose the tag that fits this movie.", "Description", "Give the name of one tag and nothing else.",
        lamp_2m.LABELS, "Tags",
    ),
    "lamp_2n": asked(
        "Choose the category of this article.", "Article", "Give the name of one category and nothing else.",
        lamp_2n.LABELS, "Categories",
    ),
    "lamp_3": asked(
        "Say which score from 1 to 5 goes with this review.", "Review", "Give 1, 2, 3, 4 or 5 and nothing else."
    ),
    "lamp_4": asked("Write a headline for this article.", "Article", "Give the headline and nothing else."),
    "lamp_5": asked("Write a title for the paper with this abstract.", "Abstract", "Give the title and nothing else."),
    "lamp_7": tweet,
    "longlamp_abstract": abstract,
    "longlamp_topic": asked(
        "Write a post on this topic.", "Topic", "Give the post and nothing else, as plain text."
    ),
    "longlamp_review": review,
    "empathic": around(
        "# Article:\n",
        "\n\n" + sections(("Instruction", "Write in 300 to 800 characters what you think and feel after reading it."))
        + ANSWER,
    ),
}  # fmt: skip
