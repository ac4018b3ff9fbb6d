"""A run's folder: private, with the resolved recipe, seed, versions and commit beside every result.

Knows nothing of what ran. Source: design section 5.
"""

import json
import os
import platform
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from tailorlm import __version__
from tailorlm import recipe as toml
from tailorlm.assembly import run_folders
from tailorlm.assembly.recipes import Recipe, plain, resolve, trained_as
from tailorlm.training.checkpoints import make_private

RECIPE, RUN = run_folders.RECIPE, "run.json"
PACKAGES = ("torch", "transformers", "accelerate", "peft", "sentence-transformers", "safetensors", "numpy")
FREE = frozenset({"eval", "contexts"})
"""Tables that a run may change between training and evaluation: they change no trained number, but where a method's
rows are trained on in context (`trained_as`)."""
TRAINED = frozenset({"mt_lora", "p2p"})
"""The methods that `tailor train` trains: of any other's settings the run holds nothing."""


def check_run(directory: Path, recipe: Recipe) -> None:
    """ValueError, with the first difference, where the folder holds a run of another recipe, or no run.

    What a failed start of another recipe left does not count, and goes.
    """
    run_folders.check_ours(directory)
    if not run_folders.is_run(directory):
        return
    different = changed(trained(resolve(toml.load(directory / RECIPE))), trained(recipe))
    if different and run_folders.trained(directory):
        raise ValueError(f"{directory} holds a run of another recipe: {different[0]}; choose another --out")
    if different:
        run_folders.clear_start(directory)


def open_run(directory: Path, recipe: Recipe) -> None:
    """The private folder with `recipe.toml`, checked first."""
    check_run(directory, recipe)
    make_private(directory)
    write(directory / RECIPE, toml.dump(plain(recipe)))


def trained(recipe: Recipe) -> dict[str, Any]:
    """The recipe without what `tailor train` does not read: other methods, and the groups that their rows train on."""
    own = {name: plain(trained_as(recipe, name)) for name in TRAINED if name in recipe.methods}
    return plain(replace(recipe, methods=own, data=replace(recipe.data, groups={})))


def changed(saved: Mapping[str, Any], given: Mapping[str, Any], where: str = "") -> list[str]:
    """What of two resolved recipes differs, a line each."""
    lines = []
    for name in sorted((saved.keys() | given.keys()) - (FREE if not where else frozenset())):
        old, new, path = saved.get(name), given.get(name), f"{where}{name}"
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            lines += changed(old, new, f"{path}.")
        elif old != new:
            lines.append(f"{path}: saved {old!r}, given {new!r}")
    return lines


def provenance(seed: int) -> dict[str, Any]:
    """Seed, commit, versions and machine."""
    import torch

    return {
        "seed": seed,
        "commit": commit(),
        "versions": {"tailorlm": __version__, "python": platform.python_version(), **_versions()},
        "machine": f"{platform.machine()}, {torch.get_num_threads()} threads",
    }


def _versions() -> dict[str, str]:
    found = {}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def commit() -> str:
    """The source tree's commit, with "+changes" where it has any; "unknown" outside a checkout."""
    here = str(Path(__file__).parent)
    try:
        head = _git(here, "rev-parse", "--short", "HEAD")
        return head + ("+changes" if _git(here, "status", "--porcelain", "--", here) else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def _git(here: str, *words: str) -> str:
    done = subprocess.run(["git", "-C", here, *words], capture_output=True, check=True, text=True)
    return done.stdout.strip()


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """JSON that a reader sees whole or not at all, readable by its owner only."""
    write(path, json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n")


def write(path: Path, text: str) -> None:
    """A private text file, whole or not at all."""
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as out:
            out.write(text)
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
