"""A task: how an input becomes a prompt, a history item a training pair, and an answer a score.

A file of this package is a task if it exports `TASK`. This one holds the type and the few ways to
make its parts. Knows nothing of models, methods or where users come from. Source: design section 2;
reference sections 3 and 4.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random

from tailorlm.backbone.prompt import Prompt
from tailorlm.data.records import Interaction
from tailorlm.data.retrieval import WHOLE, Retrieval

Pair = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Pool:
    """What a pair may be made of besides its item.

    earlier: the same user's items before it, oldest first; nothing at or after it.
    others: items of OTHER TRAINING users of the task, for negatives; none of them is the user's own.
    """

    earlier: Sequence[Interaction] = ()
    others: Sequence[Interaction] = ()


MakePair = Callable[[Interaction, Pool, Random], Pair | None]
"""(item, pool, rng) -> (input, target), or None where the item makes no pair."""


@dataclass(frozen=True, slots=True)
class Task:
    """`labels` is the full label list, or None where answers are free text; the callables are pure.

    description: one sentence in our words; hypernetworks that read task descriptions and prompts use it.
    prompt(input) -> Prompt, of which only the body, the part that may be long, may lose text.
    pair(item, pool, rng) -> (input, target), input as in the task's queries; None where the item makes no pair.
      ValueError where a task needs others' items and the pool has none. All chance comes from `rng`.
    metrics(predictions, targets) -> named numbers over N rows.
    score(predictions, targets) -> a number in 0..1 a row (N), higher is better: for averages and intervals.
    retrieval: what of inputs and items is searched with, searched in and shown.
    others: whether pairs of plain items take negatives from other users' items (`pair` raises ValueError without them).
    judged: the benchmark has its answers judged only: its ROUGE is in no average of the papers' tables.
    """

    name: str
    description: str
    labels: tuple[str, ...] | None
    prompt: Callable[[str], Prompt]
    pair: MakePair
    metrics: Callable[[Sequence[str], Sequence[str]], dict[str, float]]
    score: Callable[[Sequence[str], Sequence[str]], list[float]]
    max_new_tokens: int
    retrieval: Retrieval = WHOLE
    others: bool = False
    judged: bool = False


def after(marker: str, task: str) -> Callable[[str], Prompt]:
    """Prompts whose head ends with the first `marker` and whose body is the rest.

    The prompt raises ValueError for an input without the marker: its instruction could not be told
    from its text.
    """

    def prompt(text: str) -> Prompt:
        head, found, body = text.partition(marker)
        if not found:
            raise ValueError(f"task {task}: an input has no {marker!r}: expected the official input string")
        return Prompt(body, head=head + found)

    return prompt


def framed(opening: str, closing: str | None = None) -> Callable[[str], Prompt]:
    """Prompts with the head `opening` and a tail from the last `closing`; another input is all body."""

    def prompt(text: str) -> Prompt:
        if not text.startswith(opening):
            return Prompt(text)
        rest = text.removeprefix(opening)
        at = len(rest) if closing is None else rest.rfind(closing)
        return Prompt(rest[:at], head=opening, tail=rest[at:]) if at >= 0 else Prompt(text)

    return prompt


def whole(text: str) -> Prompt:
    """All of the input as the body."""
    return Prompt(text)


def introduced(instruction: str) -> Callable[[str], Prompt]:
    """Prompts that put the task's own instruction before an input which has none."""
    return lambda text: Prompt(text, head=instruction)


def body(prompt: Callable[[str], Prompt]) -> Callable[[str], str]:
    """The text of an input without its instruction; raises what the prompt raises."""
    return lambda text: prompt(text).body


def asked(instruction: str) -> MakePair:
    """Pairs whose input is the instruction and the item's text; None where the item lacks text or answer."""

    def pair(item: Interaction, pool: Pool, rng: Random) -> Pair | None:
        return (instruction + item.input, item.output) if _both(item) else None

    return pair


def chosen(instruction: str, labels: Sequence[str], read: Callable[[str], str] = str.strip) -> MakePair:
    """As `asked`, with what `read` makes of the item's output; None where that is none of the task's labels."""
    asks = asked(instruction)

    def pair(item: Interaction, pool: Pool, rng: Random) -> Pair | None:
        label = read(item.output)
        made = asks(item, pool, rng) if label in labels else None
        return made and (made[0], label)

    return pair


def as_is(item: Interaction, pool: Pool, rng: Random) -> Pair | None:
    """The item's own input, already as in a query, and output; None where either is empty."""
    return (item.input, item.output) if _both(item) else None


def _both(item: Interaction) -> bool:
    return bool(item.input.strip() and item.output.strip())
