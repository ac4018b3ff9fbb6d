"""What a context is: a file with `Settings` and `build`, which turns requests into prompts.

    Settings     a frozen dataclass; the recipe's [context] table fills it
    build(requests: Sequence[Request], settings: Settings) -> list[Prompt], one a request, in order

A context only adds to `Prompt.context`: the query stays as the task wrote it. Knows nothing of tasks,
of how profiles are made, or of adapters. Source: design section 2 (a personalisation is an adapter
source times a context).
"""

from dataclasses import dataclass

from tailorlm.backbone.prompt import Prompt
from tailorlm.data.records import Example, Interaction


@dataclass(frozen=True, slots=True)
class Request:
    """A query as its task wrote it, its user's history (oldest first) and profile text ("" for none)."""

    example: Example
    prompt: Prompt
    history: tuple[Interaction, ...] = ()
    profile: str = ""

    @property
    def past(self) -> tuple[Interaction, ...]:
        """The history strictly before the query's time; without times, the file's order vouches for it."""
        now = self.example.time
        if now is None:
            return self.history
        return tuple(item for item in self.history if item.time is None or item.time < now)
