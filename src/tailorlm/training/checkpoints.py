"""Checkpoints of a run in one folder: written whole or not at all, the last n kept, the best beside them.

Knows nothing of what is in them. A file is written under a temporary name, synced, and renamed; it is read
with `weights_only=True`, so that a checkpoint from elsewhere cannot run code.
"""

import os
from pathlib import Path
from typing import Any

import torch

BEST = "best.pt"


def make_private(directory: Path) -> None:
    """Create the folder if need be, readable by its owner only (mode 0700): runs may hold users' text.

    One that is there keeps its mode: it is somebody's.
    """
    if not directory.is_dir():
        directory.mkdir(parents=True, exist_ok=True)
        directory.chmod(0o700)  # mkdir's mode is less what the umask takes


def write(path: Path, content: Any) -> None:
    """Save `content` at `path` so that a reader sees the old file or the whole new one."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with temporary.open("wb") as file:
            torch.save(content, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def read(path: Path, device: str | torch.device = "cpu") -> Any:
    """What `write` saved. Raises ValueError where the file is not whole or not a checkpoint."""
    try:
        return torch.load(path, map_location=device, weights_only=True)
    except FileNotFoundError:
        raise
    except Exception as error:  # torch raises many kinds for a damaged file
        raise ValueError(
            f"{path} is not a readable checkpoint ({type(error).__name__}); delete it to go on from the one before"
        ) from error


def step_path(directory: Path, step: int) -> Path:
    """Where the checkpoint after `step` steps lies."""
    return directory / f"step-{step:09d}.pt"


def saved_steps(directory: Path) -> list[Path]:
    """The step checkpoints, oldest first."""
    return sorted(directory.glob("step-*.pt"))


def save_step(directory: Path, step: int, content: Any, keep: int) -> Path:
    """Write a step's checkpoint, then delete all but the last `keep`. Returns its path."""
    path = step_path(directory, step)
    write(path, content)
    for old in saved_steps(directory)[:-keep]:
        old.unlink()
    return path


def clear_leftovers(directory: Path) -> None:
    """Delete temporary files that a killed process left."""
    for part in directory.glob(".*.part"):
        part.unlink()
