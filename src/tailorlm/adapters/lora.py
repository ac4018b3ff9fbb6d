"""LoRA: a low-rank change delta W = B A at each site, for a different user on every row.

Adapters hold EFFECTIVE weights: y += B (A x), no scale. Whoever makes them folds alpha/r or alpha/sqrt(r)
into B. Knows nothing of models. Source: LoRA (Hu et al. 2021); P2P section 2; design section 3.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import inf
from typing import Any

import torch
from torch import Tensor

from tailorlm.adapters.batch import Adapters
from tailorlm.adapters.low_rank import Delta, First
from tailorlm.adapters.peft_config import PeftConfig
from tailorlm.adapters.rows import of_rows
from tailorlm.adapters.shape import Shape
from tailorlm.adapters.sites import Group, Site, file_key, group_sites, sort_sites
from tailorlm.adapters.space import Change, Virtual

_READ = frozenset({"r", "lora_alpha", "use_rslora", "target_modules", "lora_dropout", "megatron_core"}) | {
    "qalora_group_size"
}
_ONLY: Mapping[str, tuple[Any, ...]] = {
    "bias": ("none",),
    # Other starts (PiSSA, OLoRA, CorDA, LoftQ, LoRA-GA) change the base weights that the file needs.
    "init_lora_weights": (True, False, "gaussian", "orthogonal"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """`targets` are names of linear layers; delta W = scaling * B A. ValueError: a rank below 1, no alpha above 0."""

    targets: tuple[str, ...] = ("q_proj", "v_proj")
    rank: int = 8
    alpha: float = 16.0
    rslora: bool = True

    def __post_init__(self) -> None:
        if self.rank < 1 or not 0 < self.alpha < inf:
            raise ValueError(f"rank is {self.rank} (valid: at least 1), alpha {self.alpha} (valid: above 0)")

    @property
    def scaling(self) -> float:
        """alpha / sqrt(r) with rsLoRA, else alpha / r."""
        return self.alpha / (self.rank**0.5 if self.rslora else self.rank)


@dataclass(frozen=True)
class LoraSpace:
    """LoRA of `rank` at `sites` (kept sorted). Raises ValueError on no site, equal sites or rank < 1."""

    sites: tuple[Site, ...]
    rank: int

    def __post_init__(self) -> None:
        if self.rank < 1:
            raise ValueError(f"rank {self.rank} must be at least 1")
        object.__setattr__(self, "sites", sort_sites(self.sites))

    @property
    def kind(self) -> str:
        return "lora"

    @property
    def virtual_tokens(self) -> int:
        return 0

    @property
    def neutral_start(self) -> bool:
        return True

    @property
    def engines(self) -> frozenset[str]:
        return frozenset({"peft", "vllm", "sglang", "llama.cpp"})

    @cached_property
    def groups(self) -> tuple[Group, ...]:
        """Sites of one module and shape, together; the order of the tensors."""
        return group_sites(self.sites)

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Per group `{group}.A` (L, R, I) and `{group}.B` (L, O, R)."""
        shapes: dict[str, tuple[int, ...]] = {}
        for group in self.groups:
            shapes[f"{group.name}.A"] = (len(group.sites), self.rank, group.d_in)
            shapes[f"{group.name}.B"] = (len(group.sites), group.d_out, self.rank)
        return shapes

    def start(self, generator: torch.Generator | None = None) -> dict[str, Tensor]:
        """A Kaiming-uniform (a = sqrt(5): 1 / sqrt(I) at most), the same way for each layer; B zero."""
        made: dict[str, Tensor] = {}
        for name, shape in self.shapes().items():
            made[name] = torch.zeros(shape)
            if name.endswith(".A"):
                made[name].uniform_(-1, 1, generator=generator).mul_(shape[-1] ** -0.5)
        return made

    def scaled(self, tensors: Mapping[str, Tensor], strength: float) -> dict[str, Tensor]:
        """The tensors whose delta W is `strength` times as large: B carries every scale."""
        return {name: t * strength if name.endswith(".B") else t for name, t in tensors.items()}

    def bind(
        self,
        tensors: Mapping[str, Tensor],
        index: Tensor,
        inputs: Sequence[Sequence[Site]],
        dtype: torch.dtype,
        dropout: float,
    ) -> dict[str, Change]:
        """Gathers the rows' weights once and lays them out for the products.

        index (N,) long, -1 for the base model (a zero delta); `inputs` are the sites that read one input, in
        any order; `dropout` is the chance that an input feature of A is dropped.
        """
        rows = {
            name: of_rows(t.transpose(2, 3) if name.endswith(".B") else t, index, dtype).unbind(0)
            for name, t in tensors.items()
        }
        at = {
            site.path: (rows[f"{group.name}.A"][i], rows[f"{group.name}.B"][i])
            for group in self.groups
            for i, site in enumerate(group.sites)
        }
        changes: dict[str, Change] = {}
        for sharing in inputs:
            paths = [site.path for site in sharing]
            first = First(torch.cat([at[p][0] for p in paths], 1).transpose(1, 2), len(paths), dropout)
            for slot, path in enumerate(paths):
                changes[path] = Delta(first, slot * self.rank, self.rank, at[path][1])
        return changes

    def virtual(self, tensors: Mapping[str, Tensor], index: Tensor, dtype: torch.dtype) -> Virtual | None:
        """None: it only changes layers."""
        return None

    def file_config(self) -> dict[str, Any]:
        """Alpha equals the rank, no rsLoRA, patterns or bias, so that engines scale by 1."""
        return {
            "r": self.rank,
            "lora_alpha": self.rank,
            "use_rslora": False,
            "use_dora": False,
            "target_modules": sorted({site.module for site in self.sites}),
            "lora_dropout": 0.0,
            "bias": "none",
            "fan_in_fan_out": False,
            "init_lora_weights": True,
            "modules_to_save": None,
            "rank_pattern": {},
            "alpha_pattern": {},
        }

    def file_shapes(self) -> dict[str, tuple[int, ...]]:
        """`<path>.lora_A.weight` (R, I) and `<path>.lora_B.weight` (O, R)."""
        shapes: dict[str, tuple[int, ...]] = {}
        for site in self.sites:
            shapes |= {_key(site, "A"): (self.rank, site.d_in), _key(site, "B"): (site.d_out, self.rank)}
        return shapes

    def to_file(self, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """A matrix a site."""
        return {
            _key(site, part): tensors[f"{group.name}.{part}"][layer]
            for group in self.groups
            for layer, site in enumerate(group.sites)
            for part in "AB"
        }

    def of_file(self, stored: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """A stack of layers a group."""
        return {
            f"{group.name}.{part}": torch.stack([stored[_key(site, part)] for site in group.sites])
            for group in self.groups
            for part in "AB"
        }


Space = LoraSpace


def _key(site: Site, part: str) -> str:
    return f"{file_key(site)}.lora_{part}.weight"


def space(settings: Settings, shape: Shape) -> LoraSpace:
    """LoRA at the targets of a model."""
    return LoraSpace(shape.sites(settings.targets), settings.rank)


def fresh(space: LoraSpace, settings: Settings, generator: torch.Generator, shape: Shape) -> dict[str, Tensor]:
    """PEFT's start: A Kaiming-uniform, B zero, without the scale."""
    return space.start(generator)


def effective(space: LoraSpace, settings: Settings, raw: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """B with the scale in it."""
    return {name: t * settings.scaling if name.endswith(".B") else t for name, t in raw.items()}


def from_file(config: PeftConfig) -> Settings:
    """Rank, scale and modules of a config. PeftFileError on what plain LoRA cannot express."""
    config.refuse_others(_READ, _ONLY)
    # Without r or alpha engines fall back to a scale of 1 in silence: such a file does not say what it means.
    rank, alpha = config.number("r"), config.number("lora_alpha", (int, float))
    return Settings(targets=config.targets, rank=rank, alpha=alpha, rslora=bool(config.fields.get("use_rslora")))


def joined(first: Adapters, second: Adapters) -> Adapters:
    """Adapters whose delta W is the sum of two, put together along the rank (r1 + r2), user by user.

    Either side may be one adapter for all (U = 1). Raises ValueError on other sites or numbers of users.
    """
    one, two = first.space, second.space
    if not (isinstance(one, LoraSpace) and isinstance(two, LoraSpace) and one.sites == two.sites):
        raise ValueError(f"only LoRA adapters of the same sites can be joined, got {one} and {two}")
    users = max(len(first), len(second))
    if {len(first), len(second)} - {1, users}:
        raise ValueError(f"{len(first)} and {len(second)} adapters cannot be paired")
    tensors = {
        name: torch.cat([_for_all(first.tensors[name], users), _for_all(second.tensors[name], users)], axis)
        for group in one.groups
        for name, axis in ((f"{group.name}.A", 2), (f"{group.name}.B", 3))
    }
    return Adapters(LoraSpace(one.sites, one.rank + two.rank), tensors)


def _for_all(tensor: Tensor, users: int) -> Tensor:
    return tensor.expand(users, *tensor.shape[1:])
