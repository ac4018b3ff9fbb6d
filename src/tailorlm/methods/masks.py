"""Dropout on the input of a LoRA, its masks from each row's own random stream: the same whoever else is trained.

torch's dropout draws from one stream for all rows, which would make a user's training depend on the company. Sites that
read one input share its mask, as in `adapters.lora`. Knows nothing of users. Source: design section 3 (users have their
own dropout stream); PRISP appendix B (0.05 on the LoRA input).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from tailorlm.adapters.lora import LoraSpace
from tailorlm.adapters.sites import Site
from tailorlm.adapters.space import Change, Plain
from tailorlm.backbone.inject import Injector
from tailorlm.training.streams import subkeys, uniforms


@dataclass(eq=False)
class Masked:
    """A LoRA space whose inputs are dropped with chance `rate`; set `keys` (N,) long before its adapters are."""

    space: LoraSpace
    rate: float
    keys: Tensor

    def __getattr__(self, name: str) -> Any:
        """All else is the LoRA's."""
        return getattr(self.space, name)

    def bind(
        self,
        tensors: Mapping[str, Tensor],
        index: Tensor,
        inputs: Sequence[Sequence[Site]],
        dtype: torch.dtype,
        dropout: float,
    ) -> dict[str, Change]:
        """The LoRA's changes at each path, of dropped inputs."""
        changes = dict(self.space.bind(tensors, index, inputs, dtype, 0.0))
        for number, sharing in enumerate(inputs):
            keys = subkeys(self.keys, torch.tensor(number, device=self.keys.device))
            drop = _Drop(keys, self.rate, len(sharing))
            for site in sharing:
                changes[site.path] = _Dropped(changes[site.path], drop)
        return changes


def masked(injector: Injector, rate: float) -> Injector:
    """An injector of the same LoRA with dropout. ValueError for another kind of adapter."""
    if not isinstance(injector.space, LoraSpace):
        raise ValueError(f"dropout {rate} acts on the inputs of LoRA; {injector.space.kind} has none: set dropout = 0")
    space: Any = Masked(injector.space, rate, torch.zeros(0, dtype=torch.long))
    return Injector(injector.model, space)


class _Drop:
    """x with the mask of its rows: made by the first site that asks, dropped after the last."""

    def __init__(self, keys: Tensor, rate: float, sharers: int) -> None:
        self.keys, self.rate, self.sharers, self.left = keys, rate, sharers, 0
        self.x: Tensor | None = None
        self.dropped: Tensor | None = None

    def __call__(self, x: Tensor) -> Tensor:
        if self.x is x and self.dropped is not None:
            found = self.dropped
        else:
            # Rows are padded on the right: the mask of a row's own tokens does not depend on the padding.
            keep = uniforms(self.keys.to(x.device), x.shape[1:]) >= self.rate
            found = x * (keep.to(x.dtype) / (1.0 - self.rate))
            self.x, self.dropped, self.left = x, found, self.sharers
        self.left -= 1
        if self.left == 0:
            self.x = self.dropped = None
        return found


@dataclass(frozen=True, slots=True, eq=False)
class _Dropped:
    """The layer reads x, the LoRA beside it the dropped x."""

    change: Change
    drop: _Drop

    def __call__(self, x: Tensor, plain: Plain) -> Tensor:
        return self.change(self.drop(x), lambda dropped: plain(x))
