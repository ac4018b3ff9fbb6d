"""What a context is: a file with `Settings` and `build`, which turns requests into prompts.

    Settings     a frozen dataclass; the recipe's [context] table fills it
    build(requests: Sequence[Request], settings: Settings) -> list[Prompt], one a request, in order

A context only adds to `Prompt.context`: the query stays as the task wrote it. Knows nothing of tasks,
of how profiles are made, or of adapters. Source: design section 2 (a personalisation is an adapter
source times a context).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import inf
from typing import Any

from tailorlm.backbone.prompt import Prompt, prompt_length
from tailorlm.data.history import strictly_before
from tailorlm.data.records import Example, Interaction
from tailorlm.data.retrieval import WHOLE, Retrieval


@dataclass(frozen=True, slots=True)
class Fits:
    """Whether a prompt leaves room for its answer: its `length` (tokens) is at most `limit`."""

    limit: float
    length: Callable[[Prompt], int]

    def __call__(self, prompt: Prompt) -> bool:
        """Whether it does."""
        return self.length(prompt) <= self.limit


unbounded = Fits(inf, lambda prompt: 0)
"""Every prompt fits."""


def within(tokenizer: Any, max_tokens: int) -> Fits:
    """Prompts of at most `max_tokens` tokens fit, the chat template's own counted."""
    return Fits(max_tokens, lambda prompt: prompt_length(tokenizer, prompt))


@dataclass(frozen=True, slots=True)
class Request:
    """A query as its task wrote it, its user's history (oldest first) and profile text ("" for none).

    `retrieval` is the query's task's; `fits` says how long a prompt may be: contexts leave out whole items for it.
    """

    example: Example
    prompt: Prompt
    history: tuple[Interaction, ...] = ()
    profile: str = ""
    retrieval: Retrieval = WHOLE
    fits: Fits = unbounded

    @property
    def past(self) -> tuple[Interaction, ...]:
        """The history strictly before the query's time."""
        return strictly_before(self.history, self.example.time)

    @property
    def related(self) -> tuple[Interaction, ...]:
        """The past items of the query's task, oldest first; who names no task has one task only."""
        task = self.example.task
        if task is None:
            return self.past
        return tuple(item for item in self.past if item.task is None or item.task == task)


def shows_profiles(build: Callable[[Sequence[Request], Any], list[Prompt]], settings: Any) -> bool:
    """Whether a context shows a user's profile: two requests that differ in it alone are built."""
    example = Example("", "", None, "a", None)
    told, untold = (Request(example, Prompt("a"), (Interaction("a", "b"),), profile=text) for text in ("something", ""))
    return build([told], settings) != build([untold], settings)
