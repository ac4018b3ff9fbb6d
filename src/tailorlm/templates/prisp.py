"""PRISP's form: a line of instruction, a named line of what it is about, and the answer's name at the end.

The instructions are LaMP's official sentences, which the data have; LaMP-1's is ours. Other tasks stay official: the
paper shows six. Source: PRISP table 16.
"""

from dataclasses import replace

from tailorlm.backbone.prompt import Prompt
from tailorlm.tasks import lamp_1
from tailorlm.templates.template import Reword, Template

OPENING = "User Instruction: "


def lines(marker: str, named: str, answer: str) -> Reword:
    """The official sentence without its `marker` ("review: "), the body after `named`, `answer` after it."""

    def reword(official: Prompt) -> Prompt:
        sentence = official.head.removesuffix(marker).rstrip(" :")
        stop = "" if sentence.endswith((".", "]")) else "."
        return replace(official, head=f"{OPENING}{sentence}{stop}\n{named}: ", tail=f"\n{answer}:")

    return reword


def citation(official: Prompt) -> Prompt:
    """Both candidates as numbered references."""
    first, second = lamp_1.candidates(official)
    instruction = (
        "Find the reference that goes best with this publication of the researcher, the one that the researcher would "
        "cite. Answer with [1] or [2] only."
    )
    tail = f"\nReference: [1] - {first} [2] - {second}\nAnswer:"
    return replace(official, head=f"{OPENING}{instruction}\nPaper Title: ", tail=tail)


TEMPLATE: Template = {
    "lamp_1": citation,
    "lamp_2m": lines("description: ", "Description", "Tag"),
    "lamp_3": lines("review: ", "Review", "Score"),
    "lamp_4": lines(": ", "Article", "Headline"),
    "lamp_5": lines(": ", "Abstract", "Title"),
    "lamp_7": lines(": ", "Text", "Tweet"),
}
