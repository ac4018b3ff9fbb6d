"""The hypernetwork: profile vectors of many users in, an adapter of each user out, every site in one pass.

It puts a pool, the trunk and one head a group (of other kinds than LoRA: a tensor) together; it knows nothing of
texts, encoders, language models or training. The module index is the group's place in the space's sorted groups,
never the order of a set.
Source: P2P section 3, equations of the position-aware input and the LoRA; reference section 1.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal, get_args

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tailorlm.adapters.batch import Adapters
from tailorlm.adapters.lora import LoraSpace
from tailorlm.adapters.sites import Group
from tailorlm.adapters.space import AdapterSpace
from tailorlm.hypernet.bias import l2, set_bias
from tailorlm.hypernet.heads import Factors, HeadL, HeadM, HeadS, PartsM, PartsS
from tailorlm.hypernet.pool import Attention, Facets, Single
from tailorlm.hypernet.trunk import Trunk
from tailorlm.hypernet.whole import Whole, biases, places, set_start, spread

PoolName = Literal["single", "facets", "attention"]
HeadName = Literal["L", "M", "S"]
BiasName = Literal["shared", "layer"]
CHOICES: dict[str, tuple[object, ...]] = {
    "pool": get_args(PoolName), "head": get_args(HeadName), "bias": get_args(BiasName),
}  # fmt: skip


class Hypernet(nn.Module):
    """Maps vectors (U, K, E) to Adapters of `space`; `scaling` (alpha/r or alpha/sqrt(r)) is folded into B.

    pool       "single" (K = 1, published), "facets" (`slots` fixed slots; `fit` first), "attention" (a set)
    latent     trunk width, a multiple of 4; head_in: width of the heads' input
    head       "L", or for LoRA also "M" or "S" (heads.py); bias "shared" by the layers (published) or one for each
               "layer", which kinds need whose fresh adapters differ from place to place (virtual tokens)
    unit_norm  heads read their input normalised to unit RMS and have a learned gain per rank row
    components whitened coordinates, a slot (facets) or of all (attention); queries: learned queries (attention)
    Raises ValueError on a setting outside these.
    """

    def __init__(
        self, space: AdapterSpace, encoder_size: int, *, scaling: float, pool: PoolName = "single",
        slots: int = 1, latent: int = 128, head_in: int = 512, head: HeadName = "L",
        bias: BiasName = "shared", unit_norm: bool = False, dropout: float = 0.05,
        components: int = 16, queries: int = 32,
    ) -> None:  # fmt: skip
        super().__init__()
        self.settings: dict[str, Any] = {
            "encoder_size": encoder_size, "scaling": scaling, "pool": pool, "slots": slots, "latent": latent,
            "head_in": head_in, "head": head, "bias": bias, "unit_norm": unit_norm, "dropout": dropout,
            "components": components, "queries": queries,
        }  # fmt: skip
        check_settings(self.settings)
        check_kind(space, self.settings)
        self.space, self.scaling, self.slots, self.unit_norm = space, scaling, slots, unit_norm
        self.pool = make_pool(pool, encoder_size, slots, latent // 2, components, queries)
        rows = head_rows(space)
        modules = [index for index, layers in enumerate(rows) for _ in layers]
        self.trunk = Trunk(modules, [layer for layers in rows for layer in layers], latent, head_in, dropout)
        self.parts = make_parts(head, len(rows), space, latent)
        self.heads = nn.ModuleList(make_heads(space, head, head_in, scaling, bias, unit_norm))

    def forward(self, vectors: Tensor, mask: Tensor) -> Adapters:
        """vectors (U, K, E), mask (U, K) bool, False where a vector is missing -> U adapters.

        A and B are views of the heads' outputs in the parameters' dtype. ValueError on wrong shapes.
        """
        self.check_input(vectors, mask)
        code = self.pool(vectors.to(self.trunk.depths.weight.dtype), mask)
        parts = None if self.parts is None else self.parts(self.trunk.module_index)
        x = self.trunk(code, parts)
        if self.unit_norm:
            x = F.layer_norm(x, x.shape[-1:])
        rows = x.split([len(layers) for layers in head_rows(self.space)])
        if isinstance(self.space, LoraSpace):
            return Adapters(self.space, self.factors_of(self.space, rows))
        made = {name: head(part) for name, head, part in zip(self.space.shapes(), self.heads, rows, strict=True)}
        return Adapters(self.space, made)

    def factors_of(self, space: LoraSpace, rows: Sequence[Tensor]) -> dict[str, Tensor]:
        """Each group's A and B from its rows (L, P, U, H)."""
        tensors: dict[str, Tensor] = {}
        for group, head, part in zip(space.groups, self.heads, rows, strict=True):
            a, b = head(part)
            tensors[f"{group.name}.A"] = a.transpose(0, 1)
            tensors[f"{group.name}.B"] = b.permute(1, 0, 3, 2)
        return tensors

    def check_input(self, vectors: Tensor, mask: Tensor) -> None:
        """Raises ValueError unless vectors are (U, K, E) with the network's E and K, and mask (U, K) bool."""
        size = self.settings["encoder_size"]
        slots = "K" if self.settings["pool"] == "attention" else self.slots
        wrong = vectors.ndim != 3 or vectors.shape[2] != size or slots not in ("K", vectors.shape[1])
        if wrong:
            raise ValueError(f"vectors must be (U, {slots}, {size}), got {tuple(vectors.shape)}")
        if mask.shape != vectors.shape[:2] or mask.dtype != torch.bool:
            raise ValueError(f"mask must be bool {tuple(vectors.shape[:2])}, got {mask.dtype} {tuple(mask.shape)}")

    def fit(self, vectors: Tensor, mask: Tensor) -> None:
        """Sets what the pool takes from training users' vectors (N, K, E); "single" takes nothing."""
        self.check_input(vectors, mask)
        if not isinstance(self.pool, Single):
            self.pool.fit(vectors.to(self.trunk.depths.weight), mask.to(self.trunk.depths.weight.device))

    def set_bias(self, adapters: Adapters) -> None:
        """Makes one adapter (MT-LoRA) the heads' bias: while head weights are 0, every user's adapter equals it."""
        if isinstance(self.space, LoraSpace):
            set_bias(self.space, self.factors(), adapters)
        else:
            set_start(self.space, list(self.heads), adapters)

    def factors(self) -> list[Factors]:
        """The groups' factors, in the space's order; none for kinds other than LoRA."""
        return [head.factors for head in self.heads if isinstance(head, HeadL | HeadM | HeadS)]

    def l2(self, adapters: Adapters) -> Tensor:
        """The regulariser (U,): mean A^2 + mean B^2 over all sites, B before its scaling; of other kinds `spread`."""
        if isinstance(self.space, LoraSpace):
            return l2(adapters, self.scaling)
        return spread(adapters, biases(self.space, list(self.heads)))


def make_pool(
    name: PoolName, encoder_size: int, slots: int, size: int, components: int, queries: int
) -> Single | Facets | Attention:
    """The pool of that name."""
    if name == "single":
        return Single(encoder_size, size)
    if name == "facets":
        return Facets(encoder_size, slots, size, components)
    return Attention(encoder_size, size, queries, components)


def head_rows(space: AdapterSpace) -> list[list[int]]:
    """Of each head the depths of its rows: a LoRA group's layers, or the places of another kind's tensor."""
    if isinstance(space, LoraSpace):
        return [[site.layer for site in group.sites] for group in space.groups]
    return [list(range(count)) for count in places(space)]


def make_parts(head: HeadName, modules: int, space: AdapterSpace, latent: int) -> PartsM | PartsS | None:
    """What the head asks the trunk for at one site; None where it is one thing."""
    if head == "L" or not isinstance(space, LoraSpace):
        return None
    return PartsM(modules, latent) if head == "M" else PartsS(modules, space.rank, latent)


def make_heads(
    space: AdapterSpace, head: HeadName, head_in: int, scaling: float, bias: BiasName, gain: bool
) -> list[nn.Module]:
    """One head a LoRA group, or a tensor of another kind, whose fresh adapter is its bias."""
    if isinstance(space, LoraSpace):
        return [make_head(head, group, space.rank, head_in, scaling, bias, gain) for group in space.groups]
    return [Whole(start, head_in, scaling, bias == "shared", gain) for start in space.start().values()]


def make_head(
    head: HeadName, group: Group, rank: int, head_in: int, scaling: float, bias: BiasName, gain: bool
) -> HeadL | HeadM | HeadS:
    """The head of one group."""
    layers = 1 if bias == "shared" else len(group.sites)
    factors = Factors(layers, rank, group.d_in, group.d_out, scaling, gain)
    if head == "L":
        return HeadL(factors, head_in)
    return HeadM(factors, head_in) if head == "M" else HeadS(factors, head_in)


def check_kind(space: AdapterSpace, settings: Mapping[str, Any]) -> None:
    """Raises ValueError for a head or a bias that this kind of adapter cannot have."""
    if isinstance(space, LoraSpace):
        return
    if settings["head"] != "L":
        raise ValueError(f"head is {settings['head']!r}, which shares a linear between A and B; {space.kind} needs 'L'")
    if settings["bias"] == "shared" and not space.neutral_start:
        raise ValueError(f"bias is 'shared', but a fresh {space.kind} differs from place to place; it needs 'layer'")


def check_settings(settings: Mapping[str, Any]) -> None:
    """Raises ValueError naming the first setting that no network can have, and what it may be."""
    for name, valid in CHOICES.items():
        if settings[name] not in valid:
            raise ValueError(f"{name} is {settings[name]!r}; it must be one of {', '.join(map(str, valid))}")
    if type(settings["unit_norm"]) is not bool:
        raise ValueError(f"unit_norm is {settings['unit_norm']!r}; it must be true or false")
    for name in ("encoder_size", "slots", "latent", "head_in", "components", "queries"):
        if type(settings[name]) is not int or settings[name] < 1:
            raise ValueError(f"{name} is {settings[name]!r}; it must be a whole number of at least 1")
    if settings["latent"] % 4:
        raise ValueError(f"latent is {settings['latent']}; it must be a multiple of 4")
    if not (is_number(settings["scaling"]) and settings["scaling"] > 0):
        raise ValueError(f"scaling is {settings['scaling']!r}; it must be a finite number above 0")
    if not (is_number(settings["dropout"]) and 0 <= settings["dropout"] < 1):
        raise ValueError(f"dropout is {settings['dropout']!r}; it must be at least 0 and below 1")
    if settings["pool"] == "single" and settings["slots"] != 1:
        raise ValueError(f"slots is {settings['slots']}; pool 'single' reads exactly 1")


def is_number(value: object) -> bool:
    """A finite int or float; a bool is not one."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
