"""Prompt tuning: V learned embeddings before every text, other ones on every row.

Knows nothing of models. Source: Lester et al. 2021; PEFT's PromptTuning (start: random normal, or the embeddings of
random words).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor

from tailorlm.adapters.peft_config import PeftConfig
from tailorlm.adapters.rows import of_rows
from tailorlm.adapters.shape import Shape
from tailorlm.adapters.sites import Site
from tailorlm.adapters.space import Change, Virtual

NAME = "prompt"
# How a prompt began does not matter once it is there; sizes are compared with those of the tensor.
_READ = frozenset({"num_virtual_tokens", "token_dim", "num_attention_heads", "num_layers"}) | {
    "prompt_tuning_init",
    "prompt_tuning_init_text",
    "tokenizer_name_or_path",
    "tokenizer_kwargs",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """`tokens` V; `start`: "random" normal with deviation `std` (PEFT's default, 1), or "vocabulary" words."""

    tokens: int = 20
    start: Literal["random", "vocabulary"] = "random"
    std: float = 1.0


@dataclass(frozen=True)
class Space:
    """`tokens` V embeddings of `hidden` H numbers. ValueError where either is below 1."""

    tokens: int
    hidden: int

    def __post_init__(self) -> None:
        for name in ("tokens", "hidden"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} {getattr(self, name)} must be at least 1")

    @property
    def kind(self) -> str:
        return "prompt_tuning"

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
        """`prompt` (V, H)."""
        return {NAME: (self.tokens, self.hidden)}

    def start(self, generator: torch.Generator | None = None) -> dict[str, Tensor]:
        """Standard normal."""
        return {NAME: torch.empty(self.tokens, self.hidden).normal_(generator=generator)}

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
        """Nothing: no layer is changed."""
        return {}

    def virtual(self, tensors: Mapping[str, Tensor], index: Tensor, dtype: torch.dtype) -> Virtual | None:
        """The rows' embeddings."""
        rows = of_rows(tensors[NAME], index, dtype).transpose(0, 1).contiguous()
        return Virtual(index.to(rows.device) >= 0, embeddings=rows)

    def file_config(self) -> dict[str, Any]:
        """Number and width of the tokens."""
        return {
            "num_virtual_tokens": self.tokens,
            "token_dim": self.hidden,
            "num_transformer_submodules": 1,
            "prompt_tuning_init": "RANDOM",
        }

    def file_shapes(self) -> dict[str, tuple[int, ...]]:
        """`prompt_embeddings` (V, H)."""
        return {"prompt_embeddings": (self.tokens, self.hidden)}

    def to_file(self, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The embeddings as they are."""
        return {"prompt_embeddings": tensors[NAME]}

    def of_file(self, stored: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The embeddings as they are."""
        return {NAME: stored["prompt_embeddings"]}


def space(settings: Settings, shape: Shape) -> Space:
    """Prompts for a model of that width."""
    return Space(settings.tokens, shape.hidden)


def fresh(space: Space, settings: Settings, generator: torch.Generator, shape: Shape) -> dict[str, Tensor]:
    """Random normal, or the embeddings of random words. ValueError on another start."""
    if settings.start == "vocabulary":
        words = torch.randint(shape.vocabulary, (space.tokens,), generator=generator)
        return {NAME: shape.embed(words).detach().float()}
    if settings.start != "random":
        raise ValueError(f"start is {settings.start!r}; it must be 'random' or 'vocabulary'")
    return {name: t * settings.std for name, t in space.start(generator).items()}


def effective(space: Space, settings: Settings, raw: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """What is trained is what acts."""
    return dict(raw)


def from_file(config: PeftConfig) -> Settings:
    """The number of tokens of a config. PeftFileError on what is no decoder's prompt."""
    config.refuse_others(_READ, {"num_transformer_submodules": (1, None)})
    return Settings(tokens=config.number("num_virtual_tokens"))
