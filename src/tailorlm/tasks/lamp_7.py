"""LaMP-7, tweet paraphrasing: a plain sentence to the tweet as this user would write it.

A history item is a bare tweet, with nothing to paraphrase: its pair asks for the tweet's rest after
its first half, under an instruction of our own that says so. Source: LaMP (Salemi et al., 2024);
reference sections 3 and 4.
"""

from random import Random

from tailorlm.data.records import Interaction
from tailorlm.data.retrieval import Retrieval, given, labelled
from tailorlm.metrics.text import rouge_score, text_scores
from tailorlm.tasks.task import Pair, Pool, Task, after, body

COMPLETE = "Complete the following tweet without any explanation before or after it: "
PROMPT = after("before or after it: ", "lamp_7")
SHORTEST = 4
"""Words of a tweet below which a half says nothing."""


def pair(item: Interaction, pool: Pool, rng: Random) -> Pair | None:
    """The first half of a tweet's words, to be completed, and the rest; None for under 4 words."""
    words = item.output.split()
    if len(words) < SHORTEST:
        return None
    half = len(words) // 2
    return COMPLETE + " ".join(words[:half]), " ".join(words[half:])


TASK = Task(
    name="lamp_7",
    description="Rewrite a plain sentence as a tweet in this user's own style.",
    labels=None,
    prompt=PROMPT,
    pair=pair,
    metrics=text_scores,
    score=rouge_score,
    max_new_tokens=96,
    retrieval=Retrieval(body(PROMPT), given, labelled("Text", "Tweet")),
)
