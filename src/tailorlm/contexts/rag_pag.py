"""RAG and PAG together as in PRISP: the nearest items of the history, then the profile, then the query.

Knows nothing of how profiles are made. Source: PRISP section 4 (RAG+PAG, one item); reference sections 2 and 3.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from tailorlm.backbone.prompt import Prompt
from tailorlm.contexts.context import Request
from tailorlm.contexts.items import Framing, Order, with_items
from tailorlm.contexts.retrieval import check_count, top
from tailorlm.contexts.wording import PROFILE, check, fill


@dataclass(frozen=True, slots=True)
class Settings:
    """`profile` frames the profile text; `k`, `order` and `items` as in `rag`."""

    k: int = 1
    order: Order = "best_last"
    profile: str = "About the user:\n{profile}\n\n"
    items: Framing = field(default_factory=Framing)

    def __post_init__(self) -> None:
        """ValueError for no item, or a wording without its field."""
        check("profile", self.profile, PROFILE)
        check_count(self.k)


def build(requests: Sequence[Request], settings: Settings) -> list[Prompt]:
    """The requests' prompts (N), items and profile last in their context, each where there is one."""
    found = top(requests, settings.k)
    said = [fill(settings.profile, PROFILE, request.profile) for request in requests]
    return [
        with_items(request, items, settings.order, settings.items, after=profile)
        for request, items, profile in zip(requests, found, said, strict=True)
    ]
