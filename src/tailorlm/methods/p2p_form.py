"""What P2P's adapters are, as far as its settings tell, and which starts they may have: see form.py.

Knows nothing of networks. Source: P2P section 3 (an adapter a user, or with k > 0 items retrieved one a query).
"""

from typing import Literal, Protocol

from tailorlm.methods.form import BOTH, HISTORY, Form, at_start, lora
from tailorlm.methods.lora import LoraSettings
from tailorlm.methods.p2p_inputs import Told


class P2PSettings(Protocol):
    """What of P2P's settings decides."""

    @property
    def kind(self) -> str: ...
    @property
    def lora(self) -> LoraSettings: ...
    @property
    def source(self) -> Told: ...
    @property
    def k(self) -> int: ...


def form(settings: P2PSettings, start: Form | None) -> Form:
    """An adapter a user, or a query. ValueError for a start that is not one LoRA of the settings' own form."""
    if start is not None and settings.kind != "lora":
        raise ValueError(
            f'kind is "{settings.kind}", and the start is {start}: expected start = "base", or kind "lora"'
        )
    at_start(start, settings.lora)
    targets, rank = lora(settings.lora) if settings.kind == "lora" else (frozenset[str](), 0)
    reads = BOTH if settings.source in ("profile", "profile+items") else HISTORY
    each: Literal["query", "user"] = "query" if settings.k else "user"
    scaling = settings.lora.scaling if settings.kind == "lora" else None
    return Form(
        kind=settings.kind, targets=targets, rank=rank, each=each, reads=reads, vectors=True, scaling=scaling
    )  # fmt: skip
