"""Whether a folder can become a run's: it is not there, empty, a run of ours, or what a failed start left.

Knows nothing of what recipes say. A folder of anybody else is never written into. Source: design section 5.
"""

import shutil
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

RECIPE, SPLIT, PREPARED = "recipe.toml", "split.json", "prepared"
RESOLVED = frozenset({"base", "seed", "start", "max_tokens", "data", "profile", "encoder", "methods", "eval"})
"""What a run's recipe.toml always says: nobody writes all of it by hand."""
CURVES = frozenset({"curve.jsonl", "evaluations.jsonl"})


def check_ours(directory: Path) -> None:
    """ValueError, with the first thing in it, for a folder that is neither empty nor a run's."""
    there = sorted(path.name for path in directory.iterdir()) if directory.is_dir() else []
    if there and not is_run(directory):
        raise ValueError(f"{directory} is not empty and no run's folder (it has {there[0]!a}): choose another --out")


def is_run(directory: Path) -> bool:
    """Whether a run wrote the recipe that is there: with every table, as no one writes one by hand."""
    try:
        return tomllib.loads((directory / RECIPE).read_text(encoding="utf-8")).keys() >= RESOLVED
    except (OSError, ValueError):
        return False


def trained(directory: Path) -> bool:
    """Whether a run holds more than a start that failed leaves: its recipe, split and seconds, and curves."""
    return any(path.name not in CURVES for path in _made(directory))


def clear_start(directory: Path) -> None:
    """Delete what a failed start left that another recipe must not meet."""
    (directory / SPLIT).unlink(missing_ok=True)
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
        before = parts in ((RECIPE,), (SPLIT,)) or parts[0] == PREPARED or "tensorboard" in parts
        if path.is_file() and not before and path.stat().st_size:
            yield path
