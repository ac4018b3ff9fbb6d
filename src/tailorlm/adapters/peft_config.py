"""PEFT's `adapter_config.json` for LoRA: what we write, and what of other people's we can express.

Knows nothing of tensors or models. Every field that PEFT may set and that we do not know is refused when it
is set, so that a file is never half understood. Source: reference section 5 (PEFT, vLLM, SGLang, llama.cpp).
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tailorlm.adapters.lora import LoraSpace

CONFIG = "adapter_config.json"
_LARGEST = 1_000_000  # bytes; PEFT's own are about 1,200
_READ = frozenset({"r", "lora_alpha", "use_rslora", "target_modules", "base_model_name_or_path", "revision"})
_NO_EFFECT = frozenset(
    {"auto_mapping", "peft_version", "inference_mode", "lora_dropout", "megatron_core", "qalora_group_size"}
)
_ONLY: Mapping[str, tuple[Any, ...]] = {
    "peft_type": ("LORA",),
    "task_type": ("CAUSAL_LM", None),
    "bias": ("none",),
    # Other starts (PiSSA, OLoRA, CorDA, LoftQ, LoRA-GA) change the base weights that the file needs.
    "init_lora_weights": (True, False, "gaussian", "orthogonal"),
}


class PeftFileError(ValueError):
    """An adapter folder that cannot be read or expressed; says which file, which field and why."""


@dataclass(frozen=True, slots=True)
class PeftConfig:
    """What a config says: the base it needs, its rank, its module names, and delta W = scale * B A."""

    base_id: str | None
    revision: str | None
    rank: int
    targets: tuple[str, ...]
    scale: float


def portable_config(space: LoraSpace, base_id: str, revision: str | None) -> str:
    """The config as JSON: alpha equals the rank, no rsLoRA, patterns or bias, so that engines scale by 1."""
    config: dict[str, Any] = {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": base_id,
        "revision": revision,
        "r": space.rank,
        "lora_alpha": space.rank,
        "use_rslora": False,
        "use_dora": False,
        "target_modules": sorted({site.module for site in space.sites}),
        "lora_dropout": 0.0,
        "bias": "none",
        "fan_in_fan_out": False,
        "init_lora_weights": True,
        "inference_mode": True,
        "modules_to_save": None,
        "rank_pattern": {},
        "alpha_pattern": {},
    }
    return json.dumps(config, indent=2, sort_keys=True) + "\n"


def read_config(directory: str | Path) -> PeftConfig:
    """The config in `directory`. Raises PeftFileError if it is missing, broken, or not plain LoRA."""
    path = Path(directory) / CONFIG
    config = _object(path)
    _refuse_unknown(path, config)
    rank = _number(path, config, "r", int)
    alpha = _number(path, config, "lora_alpha", (int, float))
    scale = alpha / (math.sqrt(rank) if config.get("use_rslora") else rank)
    base, revision = config.get("base_model_name_or_path"), config.get("revision")
    if not isinstance(base, str | None) or not isinstance(revision, str | None):
        raise PeftFileError(f"{path}: base_model_name_or_path and revision must each be a text or null")
    return PeftConfig(base, revision, int(rank), _targets(path, config.get("target_modules")), scale)


def _object(path: Path) -> dict[str, Any]:
    if not path.is_file() or path.stat().st_size > _LARGEST:
        raise PeftFileError(f"{path} is missing or has more than {_LARGEST} bytes: not an adapter config")
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise PeftFileError(f"{path} cannot be read as JSON: {type(error).__name__}") from error
    if not isinstance(config, dict):
        raise PeftFileError(f"{path} must hold a JSON object, holds a {type(config).__name__}")
    return config


def _refuse_unknown(path: Path, config: Mapping[str, Any]) -> None:
    for field, value in config.items():
        if field in _ONLY:
            if value not in _ONLY[field]:
                raise PeftFileError(f"{path}: {field} = {value!r} is refused; possible: {_ONLY[field]}")
        elif field not in _READ | _NO_EFFECT and value:
            raise PeftFileError(f"{path}: {field} = {value!r} is refused: plain LoRA cannot express it")
    if "peft_type" not in config:
        raise PeftFileError(f"{path} has no peft_type; LORA is needed")


def _number(path: Path, config: Mapping[str, Any], field: str, kind: Any) -> float:
    value = config.get(field)
    # Without r or alpha engines fall back to a scale of 1 in silence: such a file does not say what it means.
    if isinstance(value, bool) or not isinstance(value, kind) or not 0 < value < 1e6:
        raise PeftFileError(f"{path}: {field} must be a number above 0, is {value!r}")
    return float(value)


def _targets(path: Path, value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not value or not all(isinstance(name, str) for name in value):
        raise PeftFileError(f"{path}: target_modules must be a list of module names, is {value!r}")
    return tuple(sorted(set(value)))
