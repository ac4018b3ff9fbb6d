"""What a kind of adapter must say of itself; `lora.py` is one.

Knows nothing of models: it sees sites, inputs and outputs of linear layers. Source: design section 2.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import torch
from torch import Tensor

from tailorlm.adapters.sites import Site

Change = Callable[[Tensor, Tensor], Tensor]
"""(x (N, T, I), y (N, T, O)) -> y (N, T, O): what an adapter does to a layer's output. May write to y."""


class AdapterSpace(Protocol):
    """A kind of adapter over given sites."""

    @property
    def kind(self) -> str: ...

    @property
    def sites(self) -> tuple[Site, ...]: ...

    @property
    def neutral_start(self) -> bool:
        """Whether a fresh adapter changes nothing at all."""
        ...

    @property
    def engines(self) -> frozenset[str]:
        """Names of the serving engines that can load the exported form."""
        ...

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shape of each parameter, without the leading user axis."""
        ...

    def scaled(self, tensors: Mapping[str, Tensor], strength: float) -> dict[str, Tensor]:
        """The parameters (U, ...) whose effect is `strength` times that of `tensors`."""
        ...

    def bind(
        self,
        tensors: Mapping[str, Tensor],
        index: Tensor,
        inputs: Sequence[Sequence[Site]],
        dtype: torch.dtype,
        dropout: float,
    ) -> dict[str, Change]:
        """The change at each path for rows `index` (N,), -1 for none; `inputs`: the sites that share one."""
        ...
