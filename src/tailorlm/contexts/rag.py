"""RAG: the k nearest items of the user's history before the query.

Knows nothing of profiles. Source: LaMP (Salemi et al., 2024); P2P section 4 (k = 2), PRISP section 4 (k = 1);
reference section 3.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from tailorlm.backbone.prompt import Prompt
from tailorlm.contexts.context import Request
from tailorlm.contexts.items import Framing, Order, with_items
from tailorlm.contexts.retrieval import check_count, top


@dataclass(frozen=True, slots=True)
class Settings:
    """`k` items by BM25; `order` is theirs in the prompt: "best_last" puts the nearest one next to the query."""

    k: int = 1
    order: Order = "best_last"
    items: Framing = field(default_factory=Framing)

    def __post_init__(self) -> None:
        """ValueError for no item."""
        check_count(self.k)


def build(requests: Sequence[Request], settings: Settings) -> list[Prompt]:
    """The requests' prompts (N), the items last in their context; unchanged for a user without past items."""
    found = top(requests, settings.k)
    return [
        with_items(request, items, settings.order, settings.items)
        for request, items in zip(requests, found, strict=True)
    ]
