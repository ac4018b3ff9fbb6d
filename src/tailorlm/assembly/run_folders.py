"""Whether a folder can become a run's: it is not there, empty, a run of ours, what a failed start left, or prepared.

Prepared is a folder with a split that was made before (recipes/paper/prepare.py, or copied from another run), and with
nothing but what comes with it. Knows nothing of what recipes say. A folder of anybody else is never written into, and a
split that no run made itself is never deleted. Source: design section 5.
"""

import hashlib
import re
import shutil
import tomllib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tailorlm.data import splits

RECIPE, SPLIT, PREPARED = "recipe.toml", "split.json", "prepared"
RESOLVED = frozenset({"base", "seed", "start", "max_tokens", "data", "profile", "encoder", "methods", "eval"})
"""What a run's recipe.toml always says: nobody writes all of it by hand."""
CURVES = frozenset({"curve.jsonl", "evaluations.jsonl"})
BEFORE = re.compile(r"split\.json|users\.jsonl|vectors|(clusters|users)_\d+")
"""What stands in a folder that prepare.py wrote: users, their split, the cache of vectors, figure 3's splits."""
LOCK = ".lock"
"""Says that somebody is at work in the folder (alone.py); it is empty, and stays."""
OWN_SPLIT = "split.sha256"
"""In the folder of seconds: which split the run made itself."""


def check_ours(directory: Path) -> None:
    """ValueError, with the first thing in it, for a folder that is neither empty nor a run's."""
    there = sorted(path.name for path in directory.iterdir() if path.name != LOCK) if directory.is_dir() else []
    if there and not is_run(directory) and not is_prepared(directory, there):
        raise ValueError(f"{directory} is not empty and no run's folder (it has {there[0]!a}): choose another --out")


def is_run(directory: Path) -> bool:
    """Whether a run wrote the recipe that is there: with every table, as no one writes one by hand."""
    try:
        return tomllib.loads((directory / RECIPE).read_text(encoding="utf-8")).keys() >= RESOLVED
    except (OSError, ValueError):
        return False


def is_prepared(directory: Path, there: Sequence[str]) -> bool:
    """Whether what is `there` is a split of ours, and at most what is prepared with one."""
    if SPLIT not in there or not all(BEFORE.fullmatch(name) for name in there):
        return False
    try:
        splits.load(directory / SPLIT)
    except ValueError:
        return False
    return True


def own_split(directory: Path) -> None:
    """Note that the run made the split that is there."""
    (directory / PREPARED).mkdir(mode=0o700, exist_ok=True)
    (directory / PREPARED / OWN_SPLIT).write_text(_digest(directory / SPLIT), encoding="utf-8")


def trained(directory: Path) -> bool:
    """Whether a run holds more than a start that failed leaves: its recipe, split and seconds, and curves."""
    return any(path.name not in CURVES for path in _made(directory))


def clear_start(directory: Path) -> None:
    """Delete what a failed start left that another recipe must not meet; a split that was there before it stays."""
    noted, split = directory / PREPARED / OWN_SPLIT, directory / SPLIT
    if noted.exists() and split.exists() and noted.read_text(encoding="utf-8") == _digest(split):
        split.unlink()
    shutil.rmtree(directory / PREPARED, ignore_errors=True)


@contextmanager
def starting(directory: Path) -> Iterator[None]:
    """What fails inside leaves no folder that was not there before, unless something has been made in it."""
    new = not directory.exists()
    try:
        yield
    except Exception:
        if new and directory.is_dir() and not any(_made(directory)):
            shutil.rmtree(directory)
        raise


def _made(directory: Path) -> Iterator[Path]:
    """Files with something in them that only work leaves."""
    for path in directory.rglob("*"):
        parts = path.relative_to(directory).parts
        before = parts[0] in (RECIPE, PREPARED) or BEFORE.fullmatch(parts[0]) or "tensorboard" in parts
        if path.is_file() and not before and path.stat().st_size:
            yield path


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
