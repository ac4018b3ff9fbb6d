"""Saves and loads a hypernetwork: `config.json` (what it is for) and `model.safetensors`.

It knows files, the hub and shapes; it knows nothing of language models, encoders or users. Shapes are
compared with the config before any weight is read, and nothing is unpickled.
Source: design section 3 (a checkpoint names its base, encoder, template and sites; a mismatch is refused).
"""

import os
import secrets
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from huggingface_hub import HfApi, snapshot_download
from huggingface_hub.errors import HFValidationError
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from tailorlm.adapters.sites import Site, sort_sites
from tailorlm.adapters.space import AdapterSpace
from tailorlm.hypernet.config import BadCheckpoint, Meta, agree, read_config, write_config
from tailorlm.hypernet.kinds import Network, make

CONFIG, WEIGHTS = "config.json", "model.safetensors"
LARGEST_CONFIG = 1 << 24  # bytes


def save_pretrained(directory: str | Path, hypernet: Network, meta: Meta) -> None:
    """Writes both files; each appears whole or not at all, and a mix of two saves is refused on loading.

    ValueError if the meta is not this network's, or a weight is NaN or Inf.
    """
    directory = Path(directory)
    check_own(hypernet, meta)
    state = {name: value.detach().cpu().contiguous() for name, value in hypernet.state_dict().items()}
    check_finite(state, "this network")
    save_id = secrets.token_hex(16)
    config = write_config(meta, hypernet.settings, save_id)
    directory.mkdir(parents=True, exist_ok=True)
    weights_file, config_file = (directory / f".{name}.{save_id}.tmp" for name in (WEIGHTS, CONFIG))
    try:
        save_file(state, weights_file, metadata={"format": "pt", "save_id": save_id})
        config_file.write_text(config, encoding="utf-8")
        for file in (weights_file, config_file):
            flush(file)
        os.replace(weights_file, directory / WEIGHTS)
        os.replace(config_file, directory / CONFIG)
    finally:
        weights_file.unlink(missing_ok=True)
        config_file.unlink(missing_ok=True)


def from_pretrained(source: str | Path, revision: str | None = None, token: str | None = None) -> tuple[Network, Meta]:
    """The network (evaluation mode, CPU) and its meta, from a folder or a hub id; raises BadCheckpoint."""
    directory = locate(source, revision, token)
    config = directory / CONFIG
    if config.stat().st_size > LARGEST_CONFIG:
        raise BadCheckpoint(f"{config} is larger than {LARGEST_CONFIG} bytes")
    meta, settings, save_id = read_config(config.read_text(encoding="utf-8", errors="replace"), str(config))
    state = read_weights(directory / WEIGHTS, expected_shapes(meta.space, settings), save_id)
    with torch.random.fork_rng(devices=[]):  # loading must not shift the caller's random numbers
        hypernet = make(meta.space, settings)
    hypernet.load_state_dict(state, assign=True)
    return hypernet.eval(), meta


def push_to_hub(repo_id: str, hypernet: Network, meta: Meta, *, private: bool = True, token: str | None = None) -> str:
    """Creates the model repository if need be and uploads both files; -> the commit's URL."""
    api = HfApi(token=token)
    with tempfile.TemporaryDirectory() as folder:
        save_pretrained(folder, hypernet, meta)
        api.create_repo(repo_id, private=private, exist_ok=True)
        done = api.upload_folder(repo_id=repo_id, folder_path=folder, commit_message="Upload hypernetwork")
        return str(done.commit_url)


def check(
    meta: Meta, *, base_id: str | None = None, base_revision: str | None = None,
    encoder_id: str | None = None, encoder_size: int | None = None, template: str | None = None,
    facets: Sequence[str] | None = None, sites: Sequence[Site] | None = None, rank: int | None = None,
    space: AdapterSpace | None = None,
) -> None:  # fmt: skip
    """Raises BadCheckpoint listing every given value that is not the checkpoint's; None is not compared.

    Expected is what the checkpoint was made for, found is what was given. A checkpoint whose base revision is
    not known fits any revision.
    """
    given = {
        "base_id": base_id, "base_revision": base_revision if meta.base_revision else None,
        "encoder_id": encoder_id, "encoder_size": encoder_size, "template": template,
        "facets": None if facets is None else tuple(facets), "rank": rank,
        "sites": None if sites is None else sort_sites(sites), "space": space,
    }  # fmt: skip
    wrong = [
        f"{name}: expected {found(getattr(meta, name), value)}, found {found(value, getattr(meta, name))}"
        for name, value in given.items()
        if value is not None and value != getattr(meta, name)
    ]
    if wrong:
        raise BadCheckpoint("this checkpoint was made for something else: " + "; ".join(wrong))


def found(value: Any, other: Any) -> str:
    """The value, or for a long tuple its length and the first entry that the other lacks."""
    if not isinstance(value, tuple):
        return repr(value)
    first = next((entry for entry in value if entry not in other), None)
    return f"{len(value)} of them" + ("" if first is None else f" with {first!r}")


def locate(source: str | Path, revision: str | None, token: str | None) -> Path:
    """The folder itself, or the hub's snapshot with nothing but the two files."""
    directory = Path(source)
    if not directory.is_dir():
        try:
            directory = Path(
                snapshot_download(str(source), revision=revision, token=token, allow_patterns=[CONFIG, WEIGHTS])
            )
        except HFValidationError:
            raise BadCheckpoint(f"{source} is neither a folder nor a hub id (owner/name)") from None
    for name in (CONFIG, WEIGHTS):
        if not (directory / name).is_file():
            raise BadCheckpoint(f"{source} has no {name}: not a hypernetwork checkpoint")
    return directory


def expected_shapes(space: AdapterSpace, settings: dict[str, Any]) -> dict[str, tuple[int, ...]]:
    """The tensors that a network of these settings has, without allocating any."""
    with torch.device("meta"):
        hypernet = make(space, settings)
    return {name: tuple(value.shape) for name, value in hypernet.state_dict().items()}


def read_weights(file: Path, shapes: dict[str, tuple[int, ...]], save_id: str) -> dict[str, Tensor]:
    """The tensors, after the header has been compared with names, shapes and save id."""
    try:
        with safe_open(file, framework="pt", device="cpu") as weights:
            if (weights.metadata() or {}).get("save_id") != save_id:
                raise BadCheckpoint(f"{file} and {CONFIG} beside it are of two different saves")
            names = list(weights.keys())
            compare({name: tuple(weights.get_slice(name).get_shape()) for name in names}, shapes, file)
            state = {name: weights.get_tensor(name) for name in shapes}
    except SafetensorError as error:
        raise BadCheckpoint(f"{file} is not a whole safetensors file: {error}") from None
    check_finite(state, str(file))
    return state


def compare(stored: dict[str, tuple[int, ...]], shapes: dict[str, tuple[int, ...]], file: Path) -> None:
    """Raises BadCheckpoint with the first tensor that is missing, odd or of another shape."""
    for name in sorted(set(stored) | set(shapes)):
        if stored.get(name) != shapes.get(name):
            raise BadCheckpoint(f"{file}: {name}: expected {shapes.get(name)}, found {stored.get(name)}")


def check_own(hypernet: Network, meta: Meta) -> None:
    """Raises ValueError unless sites, rank, scaling, E and facets are this network's."""
    check(meta, space=hypernet.space, encoder_size=hypernet.settings["encoder_size"])
    if meta.scaling != hypernet.scaling:
        raise BadCheckpoint(f"scaling: expected {hypernet.scaling}, found {meta.scaling}")
    agree(meta, hypernet.settings)


def check_finite(state: dict[str, Tensor], where: str) -> None:
    """Raises BadCheckpoint naming the first tensor that holds NaN or Inf."""
    for name, value in state.items():
        if not bool(torch.isfinite(value).all()):
            raise BadCheckpoint(f"{where}: tensor {name} holds NaN or Inf")


def flush(file: Path) -> None:
    """Makes sure that the file's bytes are on the disk before its name is."""
    with open(file, "rb") as handle:
        os.fsync(handle.fileno())
