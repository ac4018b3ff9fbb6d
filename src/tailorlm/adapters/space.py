"""What a kind of adapter must say of itself: `lora.py`, `ia3.py`, `prompt_tuning.py` and `prefix_tuning.py` are kinds.

A kind is one file that nothing else names (`tailorlm.plugins.find("adapters", name)`). Beside its space it has

    Settings                                     the recipe's table
    space(settings, shape) -> AdapterSpace       in a model of that `Shape`
    fresh(space, settings, generator, shape)     one adapter as PEFT starts it, raw: name -> tensor, no user axis
    effective(space, settings, raw)              raw trained tensors (U, ...) -> those of `Adapters`
    from_file(config) -> Settings                those of a PEFT folder's `PeftConfig`; PeftFileError where none are

Knows nothing of models: it sees sites, inputs and outputs of linear layers. Source: design section 2.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from tailorlm.adapters.sites import Site

Plain = Callable[[Tensor], Tensor]
"""x (N, T, I) -> y (N, T, O): a linear layer as it is under an adapter; y is fresh and may be written to."""

Change = Callable[[Tensor, Plain], Tensor]
"""(x (N, T, I), the layer) -> y (N, T, O): what the layer gives with an adapter, before it, after it, or both."""


@dataclass(frozen=True, eq=False)
class Virtual:
    """V tokens that each row has before its text: as embeddings, or as the keys and values that layers would make.

    present: (N,) bool, rows without are the base model. Either embeddings (N, V, H), or keys and values, both
    (L, N, K, V, D) for K key-value heads of D.
    """

    present: Tensor
    embeddings: Tensor | None = None
    keys: Tensor | None = None
    values: Tensor | None = None


class AdapterSpace(Protocol):
    """A kind of adapter over given sites. Its fields are what a checkpoint keeps: sites, numbers and names."""

    @property
    def kind(self) -> str: ...

    @property
    def sites(self) -> tuple[Site, ...]:
        """Where it changes layers; none for virtual tokens."""
        ...

    @property
    def virtual_tokens(self) -> int:
        """V: how many positions of the model's it takes before every text."""
        ...

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

    def start(self, generator: torch.Generator | None = None) -> dict[str, Tensor]:
        """One adapter as PEFT starts it, float32, without the user axis; None: torch's own random stream."""
        ...

    def scaled(self, tensors: Mapping[str, Tensor], strength: float) -> dict[str, Tensor]:
        """The parameters (U, ...) whose effect is `strength` times that of `tensors`; ValueError where none are."""
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

    def virtual(self, tensors: Mapping[str, Tensor], index: Tensor, dtype: torch.dtype) -> Virtual | None:
        """The virtual tokens of rows `index` (N,), -1 for none; None for a kind that only changes layers."""
        ...

    def file_config(self) -> dict[str, Any]:
        """The kind's own fields of PEFT's adapter_config.json. ValueError where PEFT has no such form."""
        ...

    def file_shapes(self) -> dict[str, tuple[int, ...]]:
        """The tensors of PEFT's adapter_model.safetensors and their shapes."""
        ...

    def to_file(self, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """One adapter's tensors, without the user axis -> those of the file."""
        ...

    def of_file(self, stored: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The tensors of a file -> one adapter's raw ones, without the user axis: `effective` follows."""
        ...
