"""Prefix tuning: V learned keys and values before every text in each layer, other ones on every row.

Knows nothing of models. Source: Li and Liang 2021; PEFT's PrefixTuning without a projection (its tensors are the keys
and values themselves, after what a model does to its own keys).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from tailorlm.adapters.peft_config import PeftConfig
from tailorlm.adapters.rows import of_rows
from tailorlm.adapters.shape import Shape
from tailorlm.adapters.sites import Site
from tailorlm.adapters.space import Change, Virtual

# Files hold keys and values also of prefixes that a projection made; sizes are compared with those of the tensor.
_READ = frozenset({"num_virtual_tokens", "token_dim", "num_attention_heads", "num_layers"}) | {
    "encoder_hidden_size",
    "prefix_projection",
    "init_weights",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """`tokens` V; the start is random normal with deviation `std` (PEFT's is 1)."""

    tokens: int = 20
    std: float = 1.0


@dataclass(frozen=True)
class Space:
    """`tokens` V before the text in each of `layers` L, for `heads` K key-value heads of `head_dim` D."""

    tokens: int
    layers: int
    heads: int
    head_dim: int

    def __post_init__(self) -> None:
        for name in ("tokens", "layers", "heads", "head_dim"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} {getattr(self, name)} must be at least 1")

    @property
    def kind(self) -> str:
        return "prefix_tuning"

    @property
    def sites(self) -> tuple[Site, ...]:
        return ()

    @property
    def virtual_tokens(self) -> int:
        return self.tokens

    @property
    def neutral_start(self) -> bool:
        return False

    @property
    def engines(self) -> frozenset[str]:
        return frozenset({"peft"})

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """`keys` and `values`, both (L, V, K D)."""
        shape = (self.layers, self.tokens, self.heads * self.head_dim)
        return {"keys": shape, "values": shape}

    def start(self, generator: torch.Generator | None = None) -> dict[str, Tensor]:
        """Standard normal."""
        return {name: torch.empty(shape).normal_(generator=generator) for name, shape in self.shapes().items()}

    def scaled(self, tensors: Mapping[str, Tensor], strength: float) -> dict[str, Tensor]:
        """The tensors at strength 1; ValueError at any other."""
        if strength != 1.0:
            raise ValueError(
                f"strength {strength} is refused: virtual tokens are there or not, there is no half of them; "
                "use 1, or the base model"
            )
        return dict(tensors)

    def bind(
        self,
        tensors: Mapping[str, Tensor],
        index: Tensor,
        inputs: Sequence[Sequence[Site]],
        dtype: torch.dtype,
        dropout: float,
    ) -> dict[str, Change]:
        """Nothing: no linear layer is changed."""
        return {}

    def virtual(self, tensors: Mapping[str, Tensor], index: Tensor, dtype: torch.dtype) -> Virtual | None:
        """The rows' keys and values (L, N, K, V, D)."""
        keys, values = (
            of_rows(tensors[name], index, dtype).unflatten(-1, (self.heads, self.head_dim)).transpose(2, 3)
            for name in ("keys", "values")
        )
        return Virtual(index.to(keys.device) >= 0, keys=keys, values=values)

    def file_config(self) -> dict[str, Any]:
        """Number of tokens and layers; under grouped attention PEFT counts key-value heads."""
        return {
            "num_virtual_tokens": self.tokens,
            "token_dim": self.heads * self.head_dim,
            "num_transformer_submodules": 1,
            "num_attention_heads": self.heads,
            "num_layers": self.layers,
            "encoder_hidden_size": self.heads * self.head_dim,
            "prefix_projection": False,
        }

    def file_shapes(self) -> dict[str, tuple[int, ...]]:
        """`prompt_embeddings` (V, L 2 K D): of each token the key and the value of each layer in turn."""
        return {"prompt_embeddings": (self.tokens, self.layers * 2 * self.heads * self.head_dim)}

    def to_file(self, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Keys and values token by token."""
        both = torch.stack([tensors["keys"], tensors["values"]], 1)  # (L, 2, V, K D)
        return {"prompt_embeddings": both.permute(2, 0, 1, 3).flatten(1)}

    def of_file(self, stored: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Keys and values layer by layer."""
        both = stored["prompt_embeddings"].view(self.tokens, self.layers, 2, -1).permute(2, 1, 0, 3)
        return dict(zip(("keys", "values"), both.unbind(0), strict=True))


def space(settings: Settings, shape: Shape) -> Space:
    """Prefixes for a model's layers and heads. ValueError for one whose heads differ from layer to layer."""
    if shape.kv_heads < 1 or shape.head_dim < 1:
        raise ValueError(
            "prefix_tuning needs one number and size of key-value heads in all layers; the model's config has none"
        )
    return Space(settings.tokens, shape.layers, shape.kv_heads, shape.head_dim)


def fresh(space: Space, settings: Settings, generator: torch.Generator, shape: Shape) -> dict[str, Tensor]:
    """Random normal."""
    return {name: t * settings.std for name, t in space.start(generator).items()}


def effective(space: Space, settings: Settings, raw: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """What is trained is what acts."""
    return dict(raw)


def from_file(config: PeftConfig) -> Settings:
    """The number of tokens of a config. PeftFileError on what is no decoder's prefix."""
    config.refuse_others(_READ, {"num_transformer_submodules": (1, None)})
    return Settings(tokens=config.number("num_virtual_tokens"))
