"""Seconds that preparing a source took, kept beside the run over interruptions and later uses.

Knows nothing of sources. What was finished before costs nothing more: loading it again is not counted.
"""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tailorlm.assembly.runs import write_json
from tailorlm.training.checkpoints import make_private


def nothing() -> float:
    """No seconds to add."""
    return 0.0


@contextmanager
def spending(path: Path, more: Callable[[], float] = nothing) -> Iterator[None]:
    """Adds the body's seconds, and what `more` has grown by, to the file's; unless it says "finished"."""
    before = _read(path)
    start, others, finished = time.perf_counter(), more(), False
    try:
        yield
        finished = True
    finally:
        if not before.get("finished"):
            seconds = before.get("seconds", 0.0) + time.perf_counter() - start + more() - others
            make_private(path.parent)
            write_json(path, {"seconds": round(seconds, 3), "finished": finished})


def spent(path: Path) -> float | None:
    """The seconds in all; None where nobody counted."""
    return _read(path).get("seconds")


def _read(path: Path) -> dict[str, float]:
    try:
        found: dict[str, float] = json.loads(path.read_text(encoding="utf-8"))
        return found
    except FileNotFoundError:
        return {}
