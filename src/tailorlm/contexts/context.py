"""What a context is: a file with `Settings` and `build`, which turns requests into prompts.

    Settings     a frozen dataclass; the recipe's [context] table fills it
    build(requests: Sequence[Request], settings: Settings) -> list[Prompt], one a request, in order

A context only adds to `Prompt.context`: the query stays as the task wrote it. Knows nothing of tasks,
of how profiles are made, or of adapters. Source: design section 2 (a personalisation is an adapter
source times a context).
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

from tailorlm.backbone.prompt import Prompt, encode_prompt
from tailorlm.data.records import Example, Interaction
from tailorlm.data.retrieval import WHOLE, Retrieval

Fits = Callable[[Prompt], bool]
"""Whether a prompt leaves room for its answer."""


def unbounded(prompt: Prompt) -> bool:
    """Every prompt fits."""
    return True


def within(tokenizer: Any, max_tokens: int) -> Fits:
    """Prompts of at most `max_tokens` tokens fit, the chat template's own counted."""

    def fits(prompt: Prompt) -> bool:
        return len(encode_prompt(tokenizer, prompt.messages(), sys.maxsize)) <= max_tokens

    return fits


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
        """The history strictly before the query's time; without times, the file's order vouches for it.

        The history ends at its first item at or after the query: an item without a time that stands behind is later.
        """
        now = self.example.time
        if now is None:
            return self.history
        return tuple(takewhile(lambda item: item.time is None or item.time < now, self.history))

    @property
    def related(self) -> tuple[Interaction, ...]:
        """The past items of the query's task, oldest first; who names no task has one task only."""
        task = self.example.task
        if task is None:
            return self.past
        return tuple(item for item in self.past if item.task is None or item.task == task)
