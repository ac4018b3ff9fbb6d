"""The sizes that a hypernetwork of a recipe can have: what no network can have is refused before anything is made.

Knows nothing of users or weights. Source: the published trunk (P2P section 3.2) needs a latent size of four parts; what
a checkpoint cannot hold is not trained first.
"""

from typing import Protocol

from tailorlm.hypernet.spaces import LARGEST
from tailorlm.training.settings import require


class Sizes(Protocol):
    """The sizes that every network's settings have."""

    @property
    def latent(self) -> int: ...
    @property
    def head_in(self) -> int: ...
    @property
    def components(self) -> int | None: ...
    @property
    def dropout(self) -> float: ...


def check_sizes(net: Sizes, *more: str) -> None:
    """ValueError for a size, one of `more` included, that no network can have, and a dropout that is no share."""
    for name in ("latent", "head_in", "components", *more):
        size = getattr(net, name)
        require(net, name, size is None or 1 <= size <= LARGEST[name], f"1 to {LARGEST[name]:,}", "net")
    require(net, "latent", net.latent % 4 == 0, "a multiple of 4", "net")
    require(net, "dropout", 0 <= net.dropout < 1, "a share in [0, 1)", "net")
