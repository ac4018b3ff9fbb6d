"""How long `import tailorlm` and `tailor --help` take, each in a process of its own.

The import must load no torch and take under 0.3 s, `tailor --help` under 0.5 s. Both are whole processes, the
start of Python included, which makes the target harder than its words; the import statement alone is beside it.
The target is held against the median; a first run, which may compile and fill the disk's cache, is dropped.
Run: python benchmarks/startup.py [--runs 7]. Exits with 1 if the import loads torch.
"""

import argparse
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path

from table import Row, show

IMPORT = """
import sys, time
start = time.perf_counter()
import tailorlm
print(time.perf_counter() - start, "torch" in sys.modules)
"""


def import_once() -> tuple[float, float, bool]:
    """Seconds of a process that imports tailorlm, seconds of the import in it, whether torch came along."""
    start = time.perf_counter()
    done = subprocess.run([sys.executable, "-c", IMPORT], capture_output=True, text=True, check=True)
    whole = time.perf_counter() - start
    seconds, torch = done.stdout.split()
    return whole, float(seconds), torch == "True"


def processor(before: float = 0.0) -> float:
    """Seconds of the processor that finished child processes have taken, less `before`."""
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    return spent.ru_utime + spent.ru_stime - before


def help_once() -> tuple[float, float]:
    """Seconds of `tailor --help`, on the wall and of the processor."""
    command = Path(sys.executable).with_name("tailor")
    start, before = time.perf_counter(), processor()
    subprocess.run([str(command), "--help"], capture_output=True, check=True)
    return time.perf_counter() - start, processor(before)


def row(what: str, seconds: list[float], target: float | None) -> Row:
    """The median against the target, the best beside it."""
    return what, f"best {min(seconds):.3f} s of {len(seconds)}", statistics.median(seconds), target


def main() -> None:
    """Runs both in turns and prints the table."""
    form = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=form)
    parser.add_argument("--runs", type=int, default=7)
    turns = [(import_once(), help_once()) for _ in range(parser.parse_args().runs + 1)][1:]
    imports = [turn[0] for turn in turns]
    rows = [
        row("process that imports tailorlm", [whole for whole, _, _ in imports], 0.3),
        row("the import in it", [seconds for _, seconds, _ in imports], 0.3),
        row("tailor --help", [seconds for _, (seconds, _) in turns], 0.5),
        row("its processor time", [seconds for _, (_, seconds) in turns], None),
    ]
    loads_torch = any(torch for _, _, torch in imports)
    show(rows, "none", 1, "s")
    print(f"import tailorlm loads torch: {'YES' if loads_torch else 'no'}")
    sys.exit(loads_torch)


if __name__ == "__main__":
    main()
