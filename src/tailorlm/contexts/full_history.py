"""The user's history before the query: the newest items that fit, oldest first, none of them cut.

Knows nothing of profiles and of retrieval. Source: P2P section 4 (full history); reference section 3.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from tailorlm.backbone.prompt import Prompt
from tailorlm.contexts.context import Request
from tailorlm.contexts.items import Framing, with_items


@dataclass(frozen=True, slots=True)
class Settings:
    """At most the `max_items` newest items (0: all); how many of them fit is the request's to say."""

    max_items: int = 0
    items: Framing = field(default_factory=Framing)

    def __post_init__(self) -> None:
        """ValueError for a negative number."""
        if self.max_items < 0:
            raise ValueError(f"max_items is {self.max_items}: expected 0 (all) or more")


def build(requests: Sequence[Request], settings: Settings) -> list[Prompt]:
    """The requests' prompts (N), the items last in their context; unchanged for a user without past items."""
    newest_first = [request.related[::-1][: settings.max_items or None] for request in requests]
    return [
        # Newest is most wanted, and wanted last: in the order of time.
        with_items(request, items, "best_last", settings.items)
        for request, items in zip(requests, newest_first, strict=True)
    ]
