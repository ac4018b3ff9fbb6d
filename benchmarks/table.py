"""The table that every benchmark prints: ratio or seconds beside the target, and where and from what it came.

Knows nothing of what is measured. Standard library only, so that start-up can be measured without torch.
"""

import os
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
UNITS = ("avx2", "avx512f", "avx512_bf16", "amx_bf16")  # what decides which dtypes are fast on a CPU

Row = tuple[str, str, float, float | None]  # what, its times in words, the number judged, its target (at most)


def show(rows: Sequence[Row], dtype: str, threads: int, unit: str = "x") -> None:
    """Prints where it ran and a row a measurement; a row without target is there to compare with."""
    print(f"machine {machine()}; dtype {dtype}; threads {threads}; commit {commit()}")
    width = max(len(row[0]) for row in rows)
    for what, times, number, target in rows:
        print(f"{what:<{width}}  {number:>6.3f} {unit}  {_judged(number, target, unit):<26}  {times}".rstrip())


def _judged(number: float, target: float | None, unit: str) -> str:
    if target is None:
        return "no target"
    return f"target {target:.3g} {unit}: {'met' if number <= target else 'MISSED'}"


def machine() -> str:
    """The processor, its cores that this process may use, and its vector units, where Linux tells."""
    try:
        told = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return f"{os.cpu_count()} cores"
    name = re.search(r"^model name\s*: (.*)$", told, re.MULTILINE)
    flags = re.search(r"^flags\s*: (.*)$", told, re.MULTILINE)
    units = [unit for unit in UNITS if flags and unit in flags[1].split()]
    cores = len(os.sched_getaffinity(0))
    return f"{name[1] if name else 'unnamed'}, {cores} cores, {' '.join(units) or 'units unknown'}"


def commit() -> str:
    """The commit, with a `+` where `src` or `benchmarks` has changes that it does not."""
    head, changes = _git("rev-parse", "--short", "HEAD"), _git("status", "--porcelain", "--", "src", "benchmarks")
    return f"{head or 'unknown'}{'+' if changes else ''}"


def _git(*words: str) -> str:
    done = subprocess.run(["git", *words], cwd=REPOSITORY, capture_output=True, text=True, check=False)
    return done.stdout.strip()
