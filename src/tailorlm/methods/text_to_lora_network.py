"""Text-to-LoRA's network: its shape, and the folder in which a trained one is kept and found again.

A network is used with the base, the encoder and the places for LoRA that it was trained for, or refused. Knows nothing
of training. Source: Text-to-LoRA (Charakorn et al. 2025); reference sections 1 and 2; design section 3 (a mismatch is
refused with expected and found).
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch

from tailorlm.adapters.batch import Adapters
from tailorlm.adapters.lora import LoraSpace
from tailorlm.backbone.fingerprint import fingerprint
from tailorlm.hypernet.checkpoint import check, from_pretrained, save_pretrained
from tailorlm.hypernet.config import BadCheckpoint, Meta
from tailorlm.hypernet.kinds import Network
from tailorlm.methods.described import TEMPLATE
from tailorlm.methods.net_sizes import check_sizes
from tailorlm.methods.source import Bench
from tailorlm.profiles.table import VectorTable

CHECKPOINT, PRINT = "checkpoint", "base_fingerprint"


@dataclass(frozen=True, slots=True, kw_only=True)
class NetSettings:
    """The network's shape. `pool` single is the paper's; facets reads the same one vector in whitened coordinates.

    `head` additive has no trunk: B is linear in the whitened vector. ValueError for it with another pool, and for
    sizes that no network can have.
    """

    pool: Literal["single", "facets"] = "single"
    head: Literal["L", "M", "S", "additive"] = "L"
    latent: int = 128
    head_in: int = 512
    unit_norm: bool = True
    dropout: float = 0.05
    components: int = 64

    def __post_init__(self) -> None:
        if self.head == "additive" and self.pool != "facets":
            raise ValueError(f'net.pool is {self.pool!r}; head "additive" reads whitened vectors: expected "facets"')
        check_sizes(self)


def network_settings(net: NetSettings, table: VectorTable, scaling: float, begin: Adapters | None) -> dict[str, Any]:
    """What the network is made of, complete: a checkpoint keeps it."""
    common = {
        "encoder_size": table.unique.shape[1], "scaling": scaling,
        "head": net.head, "pool": net.pool, "slots": 1, "components": net.components,
    }  # fmt: skip
    if net.head == "additive":
        return common
    own = {name: getattr(net, name) for name in ("latent", "head_in", "unit_norm", "dropout")}
    return common | own | {"queries": 1, "bias": "layer" if begin is not None else "shared"}


def save(directory: Path, network: Network, bench: Bench, facets: tuple[str, ...]) -> None:
    """The trained network with what it is for; both files whole or not at all."""
    assert bench.encoder is not None
    backbone = bench.backbone
    meta = Meta.of(
        network, base_id=backbone.id, base_revision=backbone.revision, encoder_id=bench.encoder.id, template=TEMPLATE,
        facets=facets, recipe={PRINT: fingerprint(backbone)},
    )  # fmt: skip
    save_pretrained(directory, network, meta)


def load(directory: Path, bench: Bench, space: LoraSpace, facets: tuple[str, ...]) -> Network:
    """The network in `directory`. BadCheckpoint, with expected and found, where it is for another base, encoder, LoRA
    or pool; ValueError where there is no such folder.
    """
    if not directory.is_dir():
        raise ValueError(f"checkpoint {directory}: no such folder; expected one that text_to_lora saved")
    if bench.encoder is None:
        raise ValueError("text_to_lora needs an encoder for descriptions; the bench has none")
    network, meta = from_pretrained(directory)
    check(meta, encoder_id=bench.encoder.id, encoder_size=bench.encoder.size, template=TEMPLATE, facets=facets,
          space=space)  # fmt: skip
    made, found = meta.recipe.get(PRINT), fingerprint(bench.backbone)
    # Weights in float16 are not those that the print was taken of: another rounding.
    if made != found and bench.backbone.dtype != torch.float16:
        raise BadCheckpoint(
            f"{directory} was made for {meta.base_id} with weights of fingerprint {made}; "
            f"{bench.backbone.id} has {found}"
        )
    return network
