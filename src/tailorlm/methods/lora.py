"""The LoRA that methods put into the base: where it sits, its rank and its scale, as a recipe writes them.

Knows nothing of methods. Source: reference section 1 (r 8, alpha 16, rsLoRA scale alpha / sqrt(r), q and v).
"""

from dataclasses import dataclass
from math import inf

from tailorlm.adapters.lora import LoraSpace
from tailorlm.backbone.model import Backbone
from tailorlm.training.settings import require


@dataclass(frozen=True, slots=True, kw_only=True)
class LoraSettings:
    """`targets` are names of linear layers; delta W = scaling * B A. ValueError: a rank below 1, no alpha above 0."""

    targets: tuple[str, ...] = ("q_proj", "v_proj")
    rank: int = 8
    alpha: float = 16.0
    rslora: bool = True

    def __post_init__(self) -> None:
        require(self, "rank", self.rank >= 1, "at least 1", "lora")
        require(self, "alpha", 0 < self.alpha < inf, "above 0: at 0 nothing would be trained", "lora")

    @property
    def scaling(self) -> float:
        """alpha / sqrt(r) with rsLoRA, else alpha / r."""
        return self.alpha / (self.rank**0.5 if self.rslora else self.rank)

    def space(self, backbone: Backbone) -> LoraSpace:
        """The sites of the targets in `backbone`."""
        return LoraSpace(backbone.sites(self.targets), self.rank)
