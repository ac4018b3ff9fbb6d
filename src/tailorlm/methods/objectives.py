"""What is trained, for the one loop: a hypernetwork over profiles, or one LoRA for everybody.

Knows nothing of how rows and profiles were made. Source: P2P section 3.2 (end-to-end SFT loss); reference section 1.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import inf
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import Parameter

from tailorlm.adapters.batch import Adapters
from tailorlm.adapters.lora import LoraSpace
from tailorlm.backbone.inject import Injector
from tailorlm.backbone.loss import row_losses
from tailorlm.backbone.model import Backbone
from tailorlm.backbone.rows import RowBatch
from tailorlm.hypernet.kinds import Network
from tailorlm.profiles.table import VectorTable
from tailorlm.training.settings import require


@dataclass(frozen=True, slots=True, kw_only=True)
class LossSettings:
    """Regularisers of P2P: each 0 switches it off. `dropout` acts on the LoRA inputs.

    ValueError for what is no share, or below 0: a dropout of 1 would train nothing, a negative L2 reward size.
    """

    smoothing: float = 0.1
    neftune: float = 5.0
    l2: float = 1e-3
    dropout: float = 0.05

    def __post_init__(self) -> None:
        for name in ("smoothing", "dropout"):
            require(self, name, 0 <= getattr(self, name) < 1, "a share in [0, 1)", "loss")
        for name in ("neftune", "l2"):
            require(self, name, 0 <= getattr(self, name) < inf, "at least 0", "loss")


class HypernetObjective:
    """Loss of rows under the adapters that the hypernetwork makes of each row's profile.

    A batch's `index` (N,) holds profile numbers of `table`; a profile that several rows share is passed once.
    """

    def __init__(
        self,
        backbone: Backbone,
        injector: Injector,
        hypernet: Network,
        table: VectorTable,
        settings: LossSettings,
    ) -> None:
        self.backbone, self.injector, self.hypernet = backbone, injector, hypernet
        self.table, self.settings = table, settings

    def parameters(self) -> Iterable[Parameter]:
        return self.hypernet.parameters()

    def loss(self, batch: RowBatch) -> tuple[Tensor, Mapping[str, float | Tensor]]:
        """(N,) losses with the L2 of each row's own weights. The adapters stay set: backward may recompute layers."""
        self.hypernet.train()
        profiles, index = batch.index.unique(return_inverse=True)
        adapters = self.hypernet(*self.table.gather(profiles))
        self.injector.set(adapters, index, self.settings.dropout)
        losses = row_losses(self.backbone, batch, self.settings.smoothing, self.settings.neftune)
        l2 = self.hypernet.l2(adapters)[index]
        return losses + self.settings.l2 * l2, {"l2": l2.mean()}

    def state_dict(self) -> dict[str, Any]:
        return self.hypernet.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> Any:
        return self.hypernet.load_state_dict(state)


class SharedLora(nn.Module):
    """One LoRA with a fresh PEFT start: A Kaiming-uniform, B zero; `scaling` is folded into B on reading."""

    def __init__(self, space: LoraSpace, scaling: float) -> None:
        super().__init__()
        self.space, self.scaling = space, scaling
        self.names = tuple(space.shapes())
        self.values = nn.ParameterList(_start(name, shape) for name, shape in space.shapes().items())

    def forward(self) -> Adapters:
        """One adapter, (1, ...) a tensor."""
        named = zip(self.names, self.values, strict=True)
        tensors = {n: (v * self.scaling if n.endswith(".B") else v)[None] for n, v in named}
        return Adapters(self.space, tensors)


def _start(name: str, shape: tuple[int, ...]) -> Parameter:
    if name.endswith(".B"):
        return Parameter(torch.zeros(shape))
    # kaiming_uniform_(a=sqrt(5)), as in PEFT, is uniform within 1/sqrt(fan in).
    return Parameter(torch.empty(shape).uniform_(-1.0, 1.0) * shape[-1] ** -0.5)


class SharedObjective:
    """Loss of rows under one LoRA for everybody (MT-LoRA): no user context."""

    def __init__(self, backbone: Backbone, injector: Injector, lora: SharedLora, settings: LossSettings) -> None:
        self.backbone, self.injector, self.lora, self.settings = backbone, injector, lora, settings

    def parameters(self) -> Iterable[Parameter]:
        return self.lora.parameters()

    def loss(self, batch: RowBatch) -> tuple[Tensor, Mapping[str, float | Tensor]]:
        """(N,) losses."""
        self.injector.set(self.lora(), torch.zeros_like(batch.index), self.settings.dropout)
        return row_losses(self.backbone, batch, self.settings.smoothing, self.settings.neftune), {}

    def state_dict(self) -> dict[str, Any]:
        return self.lora.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> Any:
        return self.lora.load_state_dict(state)
