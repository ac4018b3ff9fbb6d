"""No context: the query as its task wrote it.

Knows nothing of users. Source: P2P's setting with k = 0; reference section 1.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from tailorlm.backbone.prompt import Prompt
from tailorlm.contexts.context import Request


@dataclass(frozen=True, slots=True)
class Settings:
    """Nothing to set."""


def build(requests: Sequence[Request], settings: Settings) -> list[Prompt]:
    """The requests' own prompts (N)."""
    return [request.prompt for request in requests]
