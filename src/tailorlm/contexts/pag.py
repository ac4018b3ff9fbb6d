"""PAG as in P2P: the user's summary, then the k nearest items of the history, then the query.

Knows nothing of how summaries are made. Source: Richardson et al., 2023, through P2P section 4; reference section 3.
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
    """`profile` frames the summary; `k`, `order` and `items` as in `rag`."""

    k: int = 2
    order: Order = "best_last"
    profile: str = "About the user:\n{profile}\n\n"
    items: Framing = field(default_factory=Framing)

    def __post_init__(self) -> None:
        """ValueError for no item, or a wording without its field."""
        check("profile", self.profile, PROFILE)
        check_count(self.k)


def build(requests: Sequence[Request], settings: Settings) -> list[Prompt]:
    """The requests' prompts (N), summary and items last in their context, each where there is one."""
    found = top(requests, settings.k)
    said = [fill(settings.profile, PROFILE, request.profile) for request in requests]
    return [
        with_items(request, items, settings.order, settings.items, before=summary)
        for request, items, summary in zip(requests, found, said, strict=True)
    ]
