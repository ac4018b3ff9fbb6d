"""Adapters as PEFT folders, in the one form that every engine reads, and back.

Knows nothing of models or kinds. Folders of others are untrusted: safetensors only, shapes from the header before any
data, nothing guessed. Source: reference section 5; design section 3 (exports fold every scale into B).
"""

import hashlib
import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from tailorlm import __version__
from tailorlm.adapters import lora
from tailorlm.adapters.batch import Adapters
from tailorlm.adapters.peft_config import CONFIG, PeftConfig, PeftFileError, portable_config, read_config
from tailorlm.adapters.shape import Shape
from tailorlm.adapters.sites import Site
from tailorlm.adapters.space import AdapterSpace

WEIGHTS = "adapter_model.safetensors"
_LONGEST_NAME = 180  # bytes of a folder name; file systems allow 255, and a temporary name is longer


def directory_for(root: str | Path, adapter_id: str) -> Path:
    """A folder below `root` for any id: other characters than letters, digits, `_`, `-` and `.` are escaped.

    Different ids have different folders; none leaves `root`. Raises ValueError on an empty id.
    """
    if not adapter_id:
        raise ValueError("an adapter needs an id that is not empty")
    name = quote(adapter_id, safe="", errors="surrogatepass").replace("~", "%7E")
    if name.startswith("."):
        name = "%2E" + name[1:]
    if len(name) > _LONGEST_NAME:
        digest = hashlib.sha256(adapter_id.encode(errors="surrogatepass")).hexdigest()
        name = f"{name[: _LONGEST_NAME - 65]}~{digest}"
    return Path(root) / name


def save_peft(
    adapters: Adapters | None,
    directories: Sequence[str | Path],
    base_id: str,
    revision: str | None,
    metadata: Mapping[str, str],
) -> None:
    """Writes adapter i to `directories[i]`, each whole or not at all; an adapter that is there is replaced.

    `metadata` (provenance; no users' text) goes into the safetensors header. Nothing is written if an adapter
    holds NaN or Inf (BadAdapters), if directories repeat, do not match in number, or hold other things, or if PEFT
    has no form for the kind, or if there are no adapters (None: the base answers; all ValueError).
    """
    adapters = check_peft(adapters, directories, base_id, revision, metadata)
    space, targets = adapters.space, [Path(directory) for directory in directories]
    config, header = portable_config(space, base_id, revision), _header(metadata, base_id, revision)
    tensors = {name: t.detach().cpu() for name, t in adapters.tensors.items()}
    for number, target in enumerate(targets):
        one = space.to_file({name: t[number] for name, t in tensors.items()})
        _write(target, {key: t.clone(memory_format=torch.contiguous_format) for key, t in one.items()}, header, config)


def check_peft(
    adapters: Adapters | None,
    directories: Sequence[str | Path],
    base_id: str,
    revision: str | None,
    metadata: Mapping[str, str],
) -> Adapters:
    """The adapters, where `save_peft` would write them; raises all that it raises, and makes nothing."""
    if adapters is None:
        raise ValueError("there is no adapter to export: the base model answers, or an adapter is made for each query")
    portable_config(adapters.space, base_id, revision)
    _check_targets([Path(directory) for directory in directories], len(adapters))
    adapters.check()
    _header(metadata, base_id, revision)
    return adapters


def load_peft(directory: str | Path, sites: Sequence[Site]) -> Adapters:
    """The LoRA in `directory` as one adapter (U = 1), float32, its scale folded into B.

    Its layers must be exactly `sites` (`Backbone.sites(read_config(directory).targets)`). Errors as `load_kind`.
    """
    config = read_config(directory)
    if config.kind != "lora":
        raise PeftFileError(f"{config.path}: peft_type is {config.kind.upper()}; LORA is needed")
    return load_kind(config, lora, Shape.of_sites(sites))


def load_kind(config: PeftConfig, kind: Any, shape: Shape) -> Adapters:
    """The adapter beside `config` as one of U = 1, float32, its scale folded in; `kind` is the kind's file.

    PeftFileError on layers or sizes that a model of that shape has otherwise, and on what the kind cannot express;
    BadAdapters on NaN or Inf.
    """
    settings = kind.from_file(config)
    try:
        space: AdapterSpace = kind.space(settings, shape)
    except ValueError as error:
        raise PeftFileError(f"{config.path} does not fit the model: {error}") from error
    raw = space.of_file(_read(config.path.parent, space.file_shapes()))
    adapters = Adapters(space, kind.effective(space, settings, {name: t[None] for name, t in raw.items()}))
    adapters.check()
    return adapters


def read_metadata(directory: str | Path) -> dict[str, str]:
    """The provenance in the safetensors header, maybe empty. Raises PeftFileError if unreadable."""
    with _open(Path(directory) / WEIGHTS) as file:
        return dict(file.metadata() or {})


def _check_targets(targets: list[Path], adapters: int) -> None:
    if len(targets) != adapters:
        raise ValueError(f"{adapters} adapters need as many directories, got {len(targets)}")
    places = [target.absolute() for target in targets]
    if len(set(places)) != len(places):
        twice = next(place for place in places if places.count(place) > 1)
        raise ValueError(f"two adapters would be written to {twice}")
    for target in targets:
        if target.is_symlink() or (target.exists() and not _replaceable(target)):
            raise ValueError(f"{target} is there and is not an adapter folder; it is left alone")


def _replaceable(target: Path) -> bool:
    return target.is_dir() and {p.name for p in target.iterdir()} <= {CONFIG, WEIGHTS, "README.md"}


def _header(metadata: Mapping[str, str], base_id: str, revision: str | None) -> dict[str, str]:
    if not base_id:
        raise ValueError("base_id is empty; engines refuse an adapter that does not name its base model")
    for key, value in metadata.items():
        if not isinstance(key, str) or not isinstance(value, str):
            raise ValueError(f"metadata {key!r} must be a text, is a {type(value).__name__}")
    ours = {"format": "pt", "tailorlm": __version__, "base_id": base_id, "revision": revision or ""}
    return {**metadata, **ours}


def _write(target: Path, tensors: dict[str, Tensor], header: dict[str, str], config: str) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(prefix=f".{target.name}.", suffix=".new", dir=target.parent))  # mode 0700
    try:
        save_file(tensors, fresh / WEIGHTS, header)
        (fresh / CONFIG).write_text(config, encoding="utf-8")
        _swap(fresh, target)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def _swap(fresh: Path, target: Path) -> None:
    if not target.exists():
        os.rename(fresh, target)
        return
    # A folder cannot replace a folder that has files: the old one steps aside, and comes back on failure.
    old = Path(tempfile.mkdtemp(prefix=f".{target.name}.", suffix=".old", dir=target.parent))
    os.rename(target, old)
    try:
        os.rename(fresh, target)
    except OSError:
        os.rename(old, target)
        raise
    shutil.rmtree(old)


def _read(directory: Path, expected: Mapping[str, tuple[int, ...]]) -> dict[str, Tensor]:
    path = directory / WEIGHTS
    with _open(path) as file:
        names = set(file.keys())
        if names != set(expected):
            missing, extra = sorted(set(expected) - names), sorted(names - set(expected))
            raise PeftFileError(
                f"{path} does not fit the model's sites: missing {missing[:3]} ({len(missing)} in all), "
                f"not expected {extra[:3]} ({len(extra)} in all)"
            )
        for name, shape in expected.items():
            found = file.get_slice(name)
            if tuple(found.get_shape()) != shape or found.get_dtype() not in ("F32", "F16", "BF16"):
                raise PeftFileError(
                    f"{path}: {name} must be {shape} in F32, F16 or BF16, "
                    f"is {tuple(found.get_shape())} in {found.get_dtype()}"
                )
        return {name: file.get_tensor(name).float() for name in expected}


def _open(path: Path) -> Any:
    if not path.is_file():
        pickled = path.with_name("adapter_model.bin").is_file()
        reason = "; adapter_model.bin is refused: unpickling can run code" if pickled else ""
        raise PeftFileError(f"{path} is missing{reason}")
    try:
        return safe_open(path, framework="pt", device="cpu")
    except (SafetensorError, OSError) as error:
        raise PeftFileError(f"{path} is not a readable safetensors file: {error}") from error
