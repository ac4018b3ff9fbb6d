"""PEFT's `adapter_config.json` of any kind: what all kinds have in it, and how a kind reads its own fields.

Knows nothing of tensors, models or kinds. Every field that PEFT may set and that a kind does not know is refused when
it is set, so that a file is never half understood. Source: reference section 5 (PEFT, vLLM, SGLang, llama.cpp).
"""

import json
from collections.abc import Mapping, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tailorlm.adapters.space import AdapterSpace

CONFIG = "adapter_config.json"
_LARGEST = 1_000_000  # bytes; PEFT's own are about 1,200
_EVERYWHERE = frozenset(
    {"auto_mapping", "peft_version", "inference_mode", "peft_type", "task_type", "base_model_name_or_path", "revision"}
)


class PeftFileError(ValueError):
    """An adapter folder that cannot be read or expressed; says which file, which field and why."""


@dataclass(frozen=True, slots=True)
class PeftConfig:
    """A config: its file, its kind (PEFT's type in small letters), the base it needs, and all its fields."""

    path: Path
    kind: str
    base_id: str | None
    revision: str | None
    fields: Mapping[str, Any]

    @property
    def targets(self) -> tuple[str, ...]:
        """The names of the modules that it changes, sorted."""
        return self.names("target_modules")

    def names(self, field: str) -> tuple[str, ...]:
        """A list of names, sorted, each once. PeftFileError for anything else."""
        value = self.fields.get(field)
        if not isinstance(value, list) or not value or not all(isinstance(name, str) for name in value):
            raise PeftFileError(f"{self.path}: {field} must be a list of module names, is {value!r}")
        return tuple(sorted(set(value)))

    def number(self, field: str, kind: Any = int) -> Any:
        """A number above 0. PeftFileError for anything else."""
        value = self.fields.get(field)
        if isinstance(value, bool) or not isinstance(value, kind) or not 0 < value < 1e6:
            raise PeftFileError(f"{self.path}: {field} must be a number above 0, is {value!r}")
        return value

    def refuse_others(self, read: Set[str], only: Mapping[str, tuple[Any, ...]]) -> None:
        """PeftFileError for a set field that is not `read`, or has a value that `only` does not list."""
        for field, value in self.fields.items():
            if field in only:
                if value not in only[field]:
                    raise PeftFileError(f"{self.path}: {field} = {value!r} is refused; possible: {only[field]}")
            elif field not in read | _EVERYWHERE and value:
                raise PeftFileError(f"{self.path}: {field} = {value!r} is refused: {self.kind} cannot express it here")


def portable_config(space: AdapterSpace, base_id: str, revision: str | None) -> str:
    """The config of an adapter of this space, as JSON."""
    config = {
        "peft_type": space.kind.upper(),
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": base_id,
        "revision": revision,
        "inference_mode": True,
        **space.file_config(),
    }
    return json.dumps(config, indent=2, sort_keys=True) + "\n"


def read_config(directory: str | Path) -> PeftConfig:
    """The config in `directory`. Raises PeftFileError if it is missing or broken, or no causal language model's."""
    path = Path(directory) / CONFIG
    fields = _object(path)
    kind, base, revision = (fields.get(name) for name in ("peft_type", "base_model_name_or_path", "revision"))
    if not isinstance(kind, str) or not kind.isascii() or kind != kind.upper():
        raise PeftFileError(f"{path}: peft_type must be one of PEFT's, in capitals, is {kind!r}")
    if fields.get("task_type") not in ("CAUSAL_LM", None):
        raise PeftFileError(f"{path}: task_type = {fields['task_type']!r} is refused; possible: CAUSAL_LM")
    if not isinstance(base, str | None) or not isinstance(revision, str | None):
        raise PeftFileError(f"{path}: base_model_name_or_path and revision must each be a text or null")
    return PeftConfig(path, kind.lower(), base, revision, fields)


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
