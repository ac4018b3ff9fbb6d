"""The state of users' side-by-side training in one file: written whole or not at all, and read by its own run only.

Knows nothing of what is trained. A file holds users' parameters: it is as personal as they are, and lies in a folder
that only its owner reads. Source: design section 3 (a resumed run continues exactly).
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from tailorlm.training import checkpoints
from tailorlm.training.plan import Plan


@dataclass(frozen=True, slots=True)
class Saving:
    """Where the state lies, and after how many steps it is written again; it is always written at the end.

    `about`: what decides the numbers besides parameters, plan and settings, by digest.
    """

    path: Path
    every: int = 50
    about: str = ""

    def __post_init__(self) -> None:
        """ValueError for less than every step."""
        if self.every < 1:
            raise ValueError(f"every is {self.every}; valid is at least 1")

    def due(self, step: int, steps: int) -> bool:
        """Whether the state after `step` of `steps` is written."""
        return step == steps or step % self.every == 0

    def write(self, mark: str, step: int, state: Mapping[str, Any]) -> None:
        """Replace the file; a reader sees the old or the new one whole."""
        checkpoints.make_private(self.path.parent)
        checkpoints.write(self.path, {"mark": mark, "step": step, **state})

    def load(self, mark: str, state: Mapping[str, Any]) -> int:
        """Fill `state` in place and return the steps done; 0 without a file. ValueError for another run's."""
        if not self.path.exists():
            return 0
        saved = checkpoints.read(self.path)
        if saved["mark"] != mark:
            raise ValueError(
                f"{self.path} holds the training of other users, items, settings or starting weights; "
                "delete it, or give another folder"
            )
        for name, mine in state.items():
            if isinstance(mine, Tensor):
                mine.copy_(saved[name])
            else:
                mine[:] = saved[name]
        return int(saved["step"])


def fingerprint(start: Tensor, shapes: Mapping[str, tuple[int, ...]], plan: Plan, settings: object) -> str:
    """A digest of all that decides a run's numbers: starting parameters (U, P), plan and settings."""
    found = hashlib.blake2b(repr((sorted(shapes.items()), plan, settings)).encode(), digest_size=16)
    found.update(start.detach().cpu().contiguous().numpy().tobytes())
    return found.hexdigest()
