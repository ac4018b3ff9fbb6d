"""LongLaMP abstract generation: a paper's title, and in queries some key items, to the abstract of its author.

A history item has the title alone; its pair asks with the official words up to there. Source: LongLaMP (Kumar et al.,
2024), official input string; reference sections 3 and 4.
"""

from random import Random

from tailorlm.data.records import Interaction
from tailorlm.data.retrieval import Retrieval, labelled, said_and_given
from tailorlm.metrics.text import rouge_score, text_scores
from tailorlm.tasks.task import Pair, Pool, Task, after, as_is, asked, body

OPENING = 'Generate an abstract for the title "'
PROMPT = after(OPENING, "longlamp_abstract")


def pair(item: Interaction, pool: Pool, rng: Random) -> Pair | None:
    """The title in the official words, and the abstract; a query's own input as it is. None where either is empty."""
    if item.input.startswith(OPENING):
        return as_is(item, pool, rng)
    found = asked(OPENING)(item, pool, rng)
    return found and (f'{found[0]}".', found[1])


TASK = Task(
    name="longlamp_abstract",
    description="Write the abstract that this researcher would write for a paper with the title shown.",
    labels=None,
    prompt=PROMPT,
    pair=pair,
    metrics=text_scores,
    score=rouge_score,
    max_new_tokens=512,
    retrieval=Retrieval(body(PROMPT), said_and_given, labelled("Title", "Abstract")),
)
