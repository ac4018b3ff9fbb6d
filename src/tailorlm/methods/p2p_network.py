"""The shape of P2P's hypernetwork, and a fresh one for the profiles of training users.

Knows nothing of users, rows or training. Source: P2P section 3.2; reference section 1.
"""

from dataclasses import dataclass
from typing import Any, Literal

import torch

from tailorlm.adapters.space import AdapterSpace
from tailorlm.hypernet.kinds import Network, make
from tailorlm.methods.net_sizes import check_sizes
from tailorlm.profiles.table import Mode, VectorTable

MODES: dict[str, Mode] = {"single": "joined", "facets": "facets", "attention": "set"}
FITTED = 2**18
"""Vectors that whitening bases are fitted on, at most, of profiles evenly over all: more take memory and change
nothing."""
COMPONENTS = {"single": 1, "facets": 16, "attention": 128}
"""Whitened coordinates where a recipe says nothing: of each slot, or of all statements together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NetSettings:
    """The hypernetwork's shape. `pool` single is the paper's K = 1; `head` additive has no trunk and reads statements.

    `components`: whitened coordinates, of each slot or of a set (attention); None: 16 or 128.
    """

    pool: Literal["single", "facets", "attention"] = "facets"
    head: Literal["additive", "L", "M", "S"] = "additive"
    latent: int = 128
    head_in: int = 512
    unit_norm: bool = True
    dropout: float = 0.05
    components: int | None = None
    queries: int = 32

    def __post_init__(self) -> None:
        """ValueError for an additive network of one vector, and for sizes that no network can have."""
        if self.head == "additive" and self.pool == "single":
            raise ValueError('net.pool is "single"; head "additive" reads statements: expected "facets" or "attention"')
        check_sizes(self, "queries")


def settings_of(net: NetSettings, table: VectorTable, scaling: float, by_place: bool) -> dict[str, Any]:
    """What the network is made of, complete: a checkpoint keeps it. `by_place`: layers begin apart."""
    common = {
        "encoder_size": table.unique.shape[1], "scaling": scaling, "head": net.head, "pool": net.pool,
        "slots": table.ids.shape[1] if net.pool == "facets" else 1, "queries": net.queries,
        "components": COMPONENTS[net.pool] if net.components is None else net.components,
    }  # fmt: skip
    if net.head == "additive":
        return common
    own = {name: getattr(net, name) for name in ("latent", "head_in", "unit_norm", "dropout")}
    return common | own | {"bias": "layer" if by_place else "shared"}


def fresh(space: AdapterSpace, settings: dict[str, Any], table: VectorTable, seed: int) -> Network:
    """A network on the table's device, its weights drawn by the seed, fitted on the table's profiles."""
    torch.manual_seed(seed)
    network = make(space, settings).to(table.ids.device)
    if settings["pool"] != "single":
        count = min(len(table), max(1, FITTED // max(1, table.ids.shape[1])))
        places = torch.linspace(0, len(table) - 1, count, dtype=torch.float64).long()
        network.fit(*table.gather(places.to(table.ids.device)))
    return network
