"""The kind of adapter that a method puts into the base, as a recipe writes it: `kind` and its own `options`.

A kind is a file of `adapters/` found by its name. Knows nothing of methods. Source: design section 2; OPPU's PEFT
kinds (Tan et al. 2024).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from types import ModuleType
from typing import Any

import torch
from torch import Tensor

from tailorlm import plugins, recipe
from tailorlm.adapters.batch import Adapters
from tailorlm.adapters.space import AdapterSpace
from tailorlm.backbone.model import Backbone

_find = cache(plugins.find)


@dataclass(frozen=True, slots=True, kw_only=True)
class PeftSettings:
    """`kind` is "lora", "ia3", "prompt_tuning", "prefix_tuning" or another plugin; `options` are its `Settings`.

    ValueError with the nearest valid names for an unknown kind or option.
    """

    kind: str = "lora"
    options: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.settings()

    def module(self) -> ModuleType:
        """The kind's file."""
        return _find("adapters", self.kind)

    def settings(self) -> Any:
        """The options as the kind's `Settings`."""
        return recipe.settings(self.module().Settings, self.options, f"options of {self.kind}")

    def space(self, backbone: Backbone) -> AdapterSpace:
        """The kind's space in `backbone`."""
        space: AdapterSpace = self.module().space(self.settings(), backbone.shape)
        return space

    def fresh(self, backbone: Backbone, users: int, seed: int) -> dict[str, Tensor]:
        """Raw tensors (U, ...) to train, on the model's device, float32: PEFT's start, the same for every user."""
        generator = torch.Generator().manual_seed(seed)
        one = self.module().fresh(self.space(backbone), self.settings(), generator, backbone.shape)
        return {name: t.to(backbone.device).repeat(users, *[1] * t.dim()) for name, t in one.items()}

    def effective(self, space: AdapterSpace, raw: Mapping[str, Tensor]) -> Adapters:
        """Raw tensors (U, ...) as adapters of `space`, every scale folded in; gradients reach the raw tensors."""
        return Adapters(space, self.module().effective(space, self.settings(), raw))
