"""LaMP-7, tweet paraphrasing: a plain sentence to the tweet as this user would write it.

A history item is a bare tweet, with nothing to paraphrase: its pair asks for the tweet's rest after
its first half, under an instruction of our own that says so. A tweet's own question, where the data has one, is its
pair as it is. Source: LaMP (Salemi et al., 2024), official input string; reference sections 3 and 4.
"""

from dataclasses import replace
from random import Random

from tailorlm.data.records import Interaction
from tailorlm.data.retrieval import Retrieval, given, labelled
from tailorlm.metrics.text import rouge_score, text_scores
from tailorlm.tasks.task import Pair, Pool, Task, after, as_is, body

PARAPHRASE = "Paraphrase the following tweet without any explanation before or after it: "
COMPLETE = "Complete the following tweet without any explanation before or after it: "
PROMPT = after("before or after it: ", "lamp_7")
SHORTEST = 4
"""Words of a tweet below which a half says nothing."""


def pair(item: Interaction, pool: Pool, rng: Random) -> Pair | None:
    """The first half of a tweet's words, to be completed, and the rest; None for under 4 words.

    A question as it is.
    """
    if item.input.startswith(PARAPHRASE):
        return as_is(item, pool, rng)
    words = item.output.split()
    if len(words) < SHORTEST:
        return None
    half = len(words) // 2
    return COMPLETE + " ".join(words[:half]), " ".join(words[half:])


def shown(item: Interaction) -> str:
    """The tweet, and the sentence that it was to paraphrase where there is one."""
    said = PROMPT(item.input).body if item.input.startswith(PARAPHRASE) else item.input
    return labelled("Text", "Tweet")(replace(item, input=said))


TASK = Task(
    name="lamp_7",
    description="Rewrite a plain sentence as a tweet in this user's own style.",
    labels=None,
    prompt=PROMPT,
    pair=pair,
    metrics=text_scores,
    score=rouge_score,
    max_new_tokens=96,
    retrieval=Retrieval(body(PROMPT), given, shown),
)
