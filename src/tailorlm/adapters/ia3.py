"""IA3: each site's output, or a feed-forward site's input, multiplied by a learned vector, another on every row.

A fresh adapter is all ones: the base model. Knows nothing of models. Source: Liu et al. 2022 (T-Few), PEFT's IA3
(feed-forward layers are scaled before the layer, the others after it, bias included).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from tailorlm.adapters.peft_config import PeftConfig
from tailorlm.adapters.rows import of_rows
from tailorlm.adapters.shape import Shape
from tailorlm.adapters.sites import Group, Site, file_key, group_sites, sort_sites
from tailorlm.adapters.space import Change, Plain, Virtual


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """`targets` are names of linear layers; those in `feedforward` are scaled at their input."""

    targets: tuple[str, ...] = ("k_proj", "v_proj", "down_proj")
    feedforward: tuple[str, ...] = ("down_proj",)


@dataclass(frozen=True)
class Space:
    """IA3 at `sites` (kept sorted). ValueError on no site, equal sites, or a feed-forward module that is none."""

    sites: tuple[Site, ...]
    feedforward: tuple[str, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "sites", sort_sites(self.sites))
        object.__setattr__(self, "feedforward", tuple(sorted(self.feedforward)))
        modules = {site.module for site in self.sites}
        if odd := sorted(set(self.feedforward) - modules):
            raise ValueError(f"feed-forward modules {odd} are not among the targets {sorted(modules)}")

    @property
    def kind(self) -> str:
        return "ia3"

    @property
    def virtual_tokens(self) -> int:
        return 0

    @property
    def neutral_start(self) -> bool:
        return True

    @property
    def engines(self) -> frozenset[str]:
        return frozenset({"peft"})

    @cached_property
    def groups(self) -> tuple[Group, ...]:
        """Sites of one module and shape, together; the order of the tensors."""
        return group_sites(self.sites)

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Per group `{group}.l`: (L, I) before a feed-forward layer, (L, O) after any other."""
        return {f"{group.name}.l": (len(group.sites), self._size(group)) for group in self.groups}

    def start(self, generator: torch.Generator | None = None) -> dict[str, Tensor]:
        """All ones."""
        return {name: torch.ones(shape) for name, shape in self.shapes().items()}

    def scaled(self, tensors: Mapping[str, Tensor], strength: float) -> dict[str, Tensor]:
        """1 + strength (l - 1)."""
        return {name: 1 + strength * (t - 1) for name, t in tensors.items()}

    def bind(
        self,
        tensors: Mapping[str, Tensor],
        index: Tensor,
        inputs: Sequence[Sequence[Site]],
        dtype: torch.dtype,
        dropout: float,
    ) -> dict[str, Change]:
        """The rows' vectors, gathered once; ones where the index is -1. `dropout` has nothing to act on: no input."""
        changes: dict[str, Change] = {}
        for group in self.groups:
            rows = of_rows(tensors[f"{group.name}.l"], index, dtype, base=1.0)[:, :, None]
            change = _Before if group.module in self.feedforward else _After
            changes |= {site.path: change(row) for site, row in zip(group.sites, rows.unbind(0), strict=True)}
        return changes

    def virtual(self, tensors: Mapping[str, Tensor], index: Tensor, dtype: torch.dtype) -> Virtual | None:
        """None: it only changes layers."""
        return None

    def file_config(self) -> dict[str, Any]:
        """The modules, and which of them are feed-forward."""
        return {
            "target_modules": sorted({site.module for site in self.sites}),
            "feedforward_modules": list(self.feedforward),
            "fan_in_fan_out": False,
            "modules_to_save": None,
            "init_ia3_weights": True,
        }

    def file_shapes(self) -> dict[str, tuple[int, ...]]:
        """`<path>.ia3_l`: (1, I) before a feed-forward layer, (O, 1) after any other."""
        return {
            f"{file_key(site)}.ia3_l": (1, site.d_in) if site.module in self.feedforward else (site.d_out, 1)
            for site in self.sites
        }

    def to_file(self, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """A vector a site."""
        shapes = self.file_shapes()
        return {
            (key := f"{file_key(site)}.ia3_l"): tensors[f"{group.name}.l"][layer].view(shapes[key])
            for group in self.groups
            for layer, site in enumerate(group.sites)
        }

    def of_file(self, stored: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """A stack of layers a group."""
        return {
            f"{group.name}.l": torch.stack([stored[f"{file_key(site)}.ia3_l"].flatten() for site in group.sites])
            for group in self.groups
        }

    def _size(self, group: Group) -> int:
        return group.d_in if group.module in self.feedforward else group.d_out


def space(settings: Settings, shape: Shape) -> Space:
    """IA3 at the targets of a model."""
    return Space(shape.sites(settings.targets), settings.feedforward)


def fresh(space: Space, settings: Settings, generator: torch.Generator, shape: Shape) -> dict[str, Tensor]:
    """All ones."""
    return space.start(generator)


def effective(space: Space, settings: Settings, raw: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """What is trained is what acts."""
    return dict(raw)


def from_file(config: PeftConfig) -> Settings:
    """The modules of a config. PeftFileError on what IA3 on linear layers cannot express."""
    config.refuse_others({"target_modules", "feedforward_modules", "init_ia3_weights"}, {})
    feedforward = config.names("feedforward_modules") if config.fields.get("feedforward_modules") else ()
    return Settings(targets=config.targets, feedforward=feedforward)


@dataclass(frozen=True, slots=True, eq=False)
class _Before:
    """y = layer(scale x), scale (N, 1, I)."""

    scale: Tensor

    def __call__(self, x: Tensor, plain: Plain) -> Tensor:
        return plain((x * self.scale).to(x.dtype))


@dataclass(frozen=True, slots=True, eq=False)
class _After:
    """y = scale layer(x), scale (N, 1, O)."""

    scale: Tensor

    def __call__(self, x: Tensor, plain: Plain) -> Tensor:
        y = plain(x)
        return (y * self.scale).to(y.dtype)
