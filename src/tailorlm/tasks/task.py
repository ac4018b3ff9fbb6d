"""A task: how an input becomes a prompt, a history item a training pair, and an answer a score.

A file of this package is a task if it exports `TASK`. This one holds the type and the few ways to
make its parts. Knows nothing of models, methods or where users come from. Source: design section 2;
reference sections 3 and 4.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tailorlm.backbone.prompt import Prompt
from tailorlm.data.records import Interaction

Pair = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Task:
    """`labels` is the full label list, or None where answers are free text; the callables are pure.

    prompt(input) -> Prompt, of which only the body, the part that may be long, may lose text.
    pair(item) -> (input, target), input as in the task's queries; None where the item makes no pair.
    metrics(predictions, targets) -> named numbers over N rows.
    score(predictions, targets) -> a number in 0..1 a row (N), higher is better: for averages and intervals.
    """

    name: str
    labels: tuple[str, ...] | None
    prompt: Callable[[str], Prompt]
    pair: Callable[[Interaction], Pair | None]
    metrics: Callable[[Sequence[str], Sequence[str]], dict[str, float]]
    score: Callable[[Sequence[str], Sequence[str]], list[float]]
    max_new_tokens: int


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


def asked(instruction: str) -> Callable[[Interaction], Pair | None]:
    """Pairs whose input is the instruction and the item's text; None where the item lacks text or
    answer."""

    def pair(item: Interaction) -> Pair | None:
        return (instruction + item.input, item.output) if item.input.strip() and item.output.strip() else None

    return pair


def chosen(instruction: str, labels: Sequence[str]) -> Callable[[Interaction], Pair | None]:
    """As `asked`, and None where the item's output is none of the task's labels."""
    asks = asked(instruction)
    return lambda item: asks(item) if item.output in labels else None


def as_is(item: Interaction) -> Pair | None:
    """The item's own input, already as in a query, and output; None where either is empty."""
    return (item.input, item.output) if item.input.strip() and item.output.strip() else None
