"""LaMP-1, citation identification: which of two references would this author cite, [1] or [2].

Source: LaMP (Salemi et al., 2024), official input string; reference sections 3 and 4.
"""

from functools import partial

from tailorlm.backbone.prompt import Prompt
from tailorlm.data.records import Interaction
from tailorlm.metrics.classification import classification, matches
from tailorlm.tasks.task import Pair, Task

LABELS = ("[1]", "[2]")
OPENING = 'For an author who has written the paper with the title "'
CLOSING = '", which reference is related?'


def prompt(text: str) -> Prompt:
    """The paper's title is the body; the question and both candidates are never shortened.

    Raises ValueError for an input that is not the official string.
    """
    title, found, rest = text.removeprefix(OPENING).rpartition(CLOSING)
    if not (found and text.startswith(OPENING)):
        raise ValueError(f"task lamp_1: an input is not the official {OPENING + '...' + CLOSING!r}")
    return Prompt(title, head=OPENING, tail=found + rest)


def pair(item: Interaction) -> Pair | None:
    """Refused: a paper alone is no choice between two references.

    A pair needs a negative drawn from training users' papers only, which an item does not have; a
    training pair on free text instead would not match the test (reference section 3).
    """
    raise ValueError(
        "task lamp_1: a history item makes no training pair without a negative reference, drawn from other "
        "training users' papers; train on the task's own questions"
    )


TASK = Task(
    name="lamp_1",
    labels=LABELS,
    prompt=prompt,
    pair=pair,
    metrics=partial(classification, labels=LABELS),
    score=matches,
    max_new_tokens=8,
)
