"""A frozen causal language model with its tokenizer; it finds the linear layers that adapters can sit on.

Knows nothing of users, tasks or adapters' values. Source: design sections 1 and 3 (dtype rule).
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from tailorlm.adapters.shape import Shape
from tailorlm.adapters.sites import Site, sort_sites
from tailorlm.backbone.loading import without_bars


@dataclass(eq=False)
class Backbone:
    """A causal LM, frozen and in eval mode, and its tokenizer; with `checkpointing` backward recomputes."""

    model: Any
    tokenizer: Any
    id: str
    revision: str | None = None
    checkpointing: bool = False

    def __post_init__(self) -> None:
        self.model.eval()
        self.model.requires_grad_(False)

    @staticmethod
    def load(
        name_or_path: str,
        revision: str | None = None,
        dtype: str = "auto",
        device: str = "auto",
        checkpointing: bool = False,
    ) -> "Backbone":
        """The model `name_or_path` (hub id or folder) at `revision`. Code in the repository is never run."""
        from transformers import AutoModelForCausalLM, AutoTokenizer

        where = pick_device(device)
        tokenizer = AutoTokenizer.from_pretrained(name_or_path, revision=revision)
        with without_bars():
            model: Any = AutoModelForCausalLM.from_pretrained(
                name_or_path, revision=revision, dtype=pick_dtype(dtype, where), use_safetensors=True
            )
        resolved = getattr(model.config, "_commit_hash", None) or revision
        return Backbone(model.to(where), tokenizer, name_or_path, resolved, checkpointing)

    @property
    def device(self) -> torch.device:
        device: torch.device = self.model.device
        return device

    @property
    def dtype(self) -> torch.dtype:
        dtype: torch.dtype = self.model.dtype
        return dtype

    @property
    def max_tokens(self) -> int:
        """Positions that the model was made for, in tokens."""
        return int(self.model.config.get_text_config(decoder=True).max_position_embeddings)

    @property
    def shape(self) -> Shape:
        """What kinds of adapters may ask of the model."""
        config = self.model.config.get_text_config(decoder=True)
        words = self.model.get_input_embeddings()
        kv_heads, head_dim = _key_heads(self.model, config)
        return Shape(
            sites=self.sites,
            hidden=config.hidden_size,
            layers=config.num_hidden_layers,
            kv_heads=kv_heads,
            head_dim=head_dim,
            vocabulary=words.num_embeddings,
            embed=lambda ids: words(ids.to(self.device)),
        )

    @property
    def pad_id(self) -> int:
        """The token that fills short rows; the attention mask hides it."""
        pad = self.tokenizer.pad_token_id
        return int(self.tokenizer.eos_token_id if pad is None else pad)

    def sites(self, targets: Sequence[str]) -> tuple[Site, ...]:
        """Sites of every layer whose module name is in `targets`, sorted.

        Raises ValueError if a target is not there, is not an `nn.Linear`, or is in no numbered layer.
        """
        found = [(path, m) for path, m in self.model.named_modules() if path.rpartition(".")[2] in targets]
        missing = sorted(set(targets) - {path.rpartition(".")[2] for path, _ in found})
        if missing:
            raise ValueError(f"{self.id} has no module named {missing}; linear layers: {self.linear_names()}")
        refused = [f"{path} ({type(m).__name__})" for path, m in found if not isinstance(m, nn.Linear)]
        if refused:
            raise ValueError(
                f"{self.id}: adapters need nn.Linear layers; these are not: {_few(refused)}; "
                f"linear layers: {self.linear_names()}"
            )
        return sort_sites(_site(path, m) for path, m in found)

    def linear_names(self) -> list[str]:
        """Names of the linear layers inside numbered layers, sorted; what `sites` takes."""
        paths = (path for path, m in self.model.named_modules() if isinstance(m, nn.Linear))
        return sorted({path.rpartition(".")[2] for path in paths if _layer(path) is not None})


def pick_device(device: str = "auto") -> torch.device:
    """`auto`: CUDA where there is one, else the CPU."""
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    return torch.device(device)


def pick_dtype(dtype: str = "auto", device: torch.device | str = "cpu") -> torch.dtype:
    """`auto`: bfloat16 where hardware multiplies it (CUDA from Ampere, AVX512-BF16, AMX), else float32."""
    if dtype == "auto":
        return torch.bfloat16 if _multiplies_bf16(torch.device(device)) else torch.float32
    named = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
    if dtype not in named:
        raise ValueError(f"dtype {dtype!r} is not one of auto, {', '.join(named)}")
    return named[dtype]


def _multiplies_bf16(device: torch.device) -> bool:
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    if device.type != "cpu":
        return False
    # Both are private names of torch; a version without one is taken as a machine without bf16.
    names = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    return any(bool(getattr(torch.cpu, name)()) for name in names if hasattr(torch.cpu, name))


def _key_heads(model: Any, config: Any) -> tuple[int, int]:
    """Number and size of the key-value heads; (0, 0) where the config does not say or layers differ."""
    try:
        heads = config.num_attention_heads
        size = getattr(config, "head_dim", None) or config.hidden_size // heads
        count = getattr(config, "num_key_value_heads", None) or heads
    except (AttributeError, RuntimeError):  # the latter is transformers' for layers that differ
        return 0, 0
    modules = [m for path, m in model.named_modules() if path.endswith(".k_proj") and isinstance(m, nn.Linear)]
    return (count, size) if {m.out_features for m in modules} <= {count * size} else (0, 0)


def _site(path: str, linear: nn.Linear) -> Site:
    layer = _layer(path)
    if layer is None:
        raise ValueError(f"{path} is in no numbered layer; adapters sit on the layers of the stack")
    return Site(path, path.rpartition(".")[2], layer, linear.in_features, linear.out_features)


def _layer(path: str) -> int | None:
    number = re.search(r"\.(\d+)\.", path)
    return int(number.group(1)) if number else None


def _few(names: list[str], show: int = 6) -> str:
    more = f" and {len(names) - show} more" if len(names) > show else ""
    return ", ".join(names[:show]) + more
