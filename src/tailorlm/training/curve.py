"""A run's loss curve on disk: one JSON object a line, cut back to the step that a resumed run starts from.

Knows nothing of what is measured; every record has an integer "step".
"""

import json
import os
from pathlib import Path
from typing import Any


class Curve:
    """Appends records to a jsonl file."""

    def __init__(self, path: Path, last_step: int) -> None:
        """Open `path`, keeping only whole records with step <= `last_step` (-1 keeps none)."""
        kept = [line for line in _whole_lines(path) if json.loads(line)["step"] <= last_step]
        part = path.with_name(f".{path.name}.{os.getpid()}.part")
        part.write_text("".join(f"{line}\n" for line in kept), encoding="utf-8")
        os.replace(part, path)
        self._file = path.open("a", encoding="utf-8")

    def add(self, record: dict[str, Any]) -> None:
        """Append one record; numbers are written so that they read back bit by bit."""
        self._file.write(json.dumps(record) + "\n")

    def sync(self) -> None:
        """Put all records on disk; called before a checkpoint, so that the curve is never behind it."""
        self._file.flush()
        os.fsync(self._file.fileno())

    def close(self) -> None:
        """Write what is left."""
        self._file.close()


def read_curve(path: Path) -> list[dict[str, Any]]:
    """All whole records of a curve; none where there is no file."""
    return [json.loads(line) for line in _whole_lines(path)]


def _whole_lines(path: Path) -> list[str]:
    """A killed process leaves at most one torn line, the last."""
    if not path.exists():
        return []
    *lines, _torn = path.read_text(encoding="utf-8").split("\n")
    return lines
