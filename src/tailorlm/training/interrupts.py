"""Ctrl-C without loss: the first asks the run to finish its step and save, the second stops at once.

Knows nothing of training. Signals reach a process's main thread only; in another thread nothing is changed.
"""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


class Interrupted(KeyboardInterrupt):
    """The run was interrupted, everything up to `step` is saved: resume=True goes on."""

    def __init__(self, message: str, step: int) -> None:
        super().__init__(message)
        self.step = step


class Wish:
    """Whether a stop is asked for."""

    def __init__(self) -> None:
        self.stop = False


@contextmanager
def graceful(say: Callable[[str], None]) -> Iterator[Wish]:
    """Within it the first SIGINT sets `wish.stop`, and the second raises KeyboardInterrupt."""
    wish = Wish()
    if threading.current_thread() is not threading.main_thread():
        yield wish
        return

    def on_interrupt(number: int, frame: FrameType | None) -> None:
        if wish.stop:
            raise KeyboardInterrupt
        wish.stop = True
        say("Stopping after this step; Ctrl-C again stops at once, without saving.")

    before = signal.signal(signal.SIGINT, on_interrupt)
    try:
        yield wish
    finally:
        signal.signal(signal.SIGINT, before)
