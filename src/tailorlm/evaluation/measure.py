"""What a piece of work took: seconds, peak memory of the process and of the GPU; what methods cost over many users.

Knows nothing of methods: all are measured by the same few lines. Peak memory is of this piece alone where the system
can forget the earlier peak (Linux), and of the process since its start elsewhere. Source: P2P figure 4 (cumulative
time over users), PRISP figures 3 and 4.
"""

import math
import resource
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import torch

T = TypeVar("T")
STATUS, FORGET = Path("/proc/self/status"), Path("/proc/self/clear_refs")


@dataclass(frozen=True, slots=True)
class Taken:
    """Seconds; peak bytes of resident memory, and of the GPU's (0 without one)."""

    seconds: float = 0.0
    rss: int = 0
    cuda: int = 0

    def beside(self, other: "Taken") -> "Taken":
        """Both pieces: their seconds together, the higher of their peaks."""
        return Taken(self.seconds + other.seconds, max(self.rss, other.rss), max(self.cuda, other.cuda))


def measured(work: Callable[[], T], device: torch.device) -> tuple[T, Taken]:
    """What `work` gives and what it took; the GPU has finished before the clock is read."""
    forget_peaks(device)
    found, seconds = clocked(work, device)
    return found, Taken(seconds, peak_rss(), peak_cuda(device))


def clocked(work: Callable[[], T], device: torch.device) -> tuple[T, float]:
    """What `work` gives and its seconds; the GPU has finished before the clock is read."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    start = time.perf_counter()
    found = work()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return found, time.perf_counter() - start


def forget_peaks(device: torch.device) -> None:
    """Begin a new measure of peak memory, where the system can."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
        torch.cuda.reset_peak_memory_stats(device)
    with suppress(OSError):
        FORGET.write_text("5")  # proc(5): resets the peak resident set size ("high water mark")


def peak_rss() -> int:
    """Bytes: the peak since `forget_peaks` on Linux, since the process began elsewhere."""
    try:
        lines = STATUS.read_text().splitlines()
    except OSError:
        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return most if sys.platform == "darwin" else most * 1024
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:")), 0)


def peak_cuda(device: torch.device) -> int:
    """Bytes of the GPU's memory at their peak; 0 on a CPU."""
    return int(torch.cuda.max_memory_allocated(device)) if device.type == "cuda" else 0


@dataclass(frozen=True, slots=True)
class Cost:
    """Seconds that a method takes once, and for each user (enrolling one and answering what one is asked)."""

    once: float
    user: float

    def total(self, users: int) -> float:
        """Seconds for so many users."""
        return self.once + users * self.user


def break_even(method: Cost, other: Cost) -> int | None:
    """The number of users from which on `method` has taken no longer than `other`; None: there is none."""
    if method.once <= other.once:
        return 0 if method.user <= other.user else None
    saved = other.user - method.user
    # Below a billionth of a user's seconds two clocks say the same.
    return math.ceil((method.once - other.once) / saved) if saved > 1e-9 * other.user else None


def counts(most: int) -> list[int]:
    """Numbers of users for a curve of cumulative time: 1, 2, 5, 10, ... up to `most`."""
    steps = [first * 10**power for power in range(len(str(most))) for first in (1, 2, 5)]
    return [*(step for step in steps if step < most), most]
