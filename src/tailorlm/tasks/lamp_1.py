"""LaMP-1, citation identification: which of two references would this author cite, [1] or [2].

A history item is a paper of the author's without its citations. Its pair asks the official question about the
paper's title; the right candidate is an EARLIER paper of the same author, in place of one that the author cites, the
wrong one another author's. An author's first paper has nothing before it and makes no pair. A paper's own question,
where the data has one, is its pair as it is.
Source: LaMP (Salemi et al., 2024), official input string; reference sections 3 and 4.
"""

import re
from collections.abc import Collection, Sequence
from functools import partial
from random import Random

from tailorlm.backbone.prompt import Prompt
from tailorlm.data.records import Interaction
from tailorlm.data.retrieval import Retrieval
from tailorlm.metrics.classification import classification, label_score
from tailorlm.tasks.task import Pair, Pool, Task

LABELS = ("[1]", "[2]")
OPENING = 'For an author who has written the paper with the title "'
CLOSING = '", which reference is related?'
ANSWERS = " Just answer with [1] or [2] without explanation. "
CANDIDATES = re.compile(r'.*?\[1\]: "(.*)" \[2\]: "(.*)"', re.DOTALL)


def prompt(text: str) -> Prompt:
    """The paper's title is the body; the question and both candidates are never shortened.

    Raises ValueError for an input that is not the official string.
    """
    title, found, rest = text.removeprefix(OPENING).rpartition(CLOSING)
    if not (found and text.startswith(OPENING)):
        raise ValueError(f"task lamp_1: an input is not the official {OPENING + '...' + CLOSING!r}")
    return Prompt(title, head=OPENING, tail=found + rest)


def query(text: str) -> str:
    """Both candidates' titles. ValueError for an input that does not name them in the official form."""
    return " ".join(candidates(prompt(text)))


def candidates(asked: Prompt) -> tuple[str, str]:
    """The titles of the two candidates of a prompt. ValueError where it does not name them in the official form."""
    found = CANDIDATES.fullmatch(asked.tail.removeprefix(CLOSING))
    if found is None:
        raise ValueError('task lamp_1: an input does not end as the official \'[1]: "..." [2]: "..."\'')
    return found[1], found[2]


def pair(item: Interaction, pool: Pool, rng: Random) -> Pair | None:
    """The author's earlier paper against another author's, in either order; None without a title or an earlier paper.

    ValueError where the pool has no other author's paper.
    """
    if _asked(item):
        return (item.input, item.output) if item.output in LABELS else None
    asked = title(item)
    if not asked:
        return None
    own = {asked, *(title(one) for one in pool.earlier)}
    wrong = _other(own, pool.others, rng)
    cited = sorted({title(one) for one in pool.earlier if one.task == item.task} - {"", asked})
    if not cited:
        return None
    options = [rng.choice(cited), wrong]
    right = rng.randrange(2)
    first, second = options if right == 0 else reversed(options)
    return f'{OPENING}{asked}{CLOSING}{ANSWERS}[1]: "{first}" [2]: "{second}"', LABELS[right]


def title(item: Interaction) -> str:
    """A paper's title; of a question, the title that it is about."""
    return prompt(item.input).body.strip() if _asked(item) else item.output.strip()


def document(item: Interaction) -> str:
    """A paper's title and abstract; of a question, the title that it is about."""
    return title(item) if _asked(item) else f"{item.output} {item.input}".strip()


def shown(item: Interaction) -> str:
    """The title, and the abstract where there is one."""
    if _asked(item) or not item.input.strip():
        return f"Paper: {title(item)}"
    return f"Paper: {item.output}\nAbstract: {item.input}"


def _asked(item: Interaction) -> bool:
    return item.input.startswith(OPENING) and CLOSING in item.input


def _other(own: Collection[str], papers: Sequence[Interaction], rng: Random) -> str:
    """The title of the first of the papers, from a place drawn among them, that is none of the own."""
    start = rng.randrange(len(papers)) if papers else 0
    for step in range(len(papers)):
        found = title(papers[(start + step) % len(papers)])
        if found and found not in own:
            return found
    raise ValueError(
        f"task lamp_1: a history item makes no training pair without a negative reference, and the pool of "
        f"{len(papers)} items has none: give the papers of other training users as the pool"
    )


TASK = Task(
    name="lamp_1",
    description="Decide which of two papers, [1] or [2], this author would cite in a paper with the title shown.",
    labels=LABELS,
    prompt=prompt,
    pair=pair,
    metrics=partial(classification, labels=LABELS),
    score=label_score(LABELS),
    max_new_tokens=8,
    retrieval=Retrieval(query, document, shown),
    others=True,
)
