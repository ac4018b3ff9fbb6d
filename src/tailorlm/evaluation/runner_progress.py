"""How far an evaluation is: a bar with the time left in a terminal, a line now and then elsewhere.

Knows nothing of what is evaluated; never shows users' text.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from tailorlm.training.progress import Meter, clock

LINE_SECONDS = 30.0


@contextmanager
def progress(total: int, console: Console, line_seconds: float = LINE_SECONDS) -> Iterator[Callable[[str, int], None]]:
    """`show(name, rows)` counts rows of a method that are done, of `total` rows in all."""
    if not console.is_terminal:
        yield _lines(total, console, line_seconds)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, TextColumn("left"), TimeRemainingColumn(), console=console, refresh_per_second=2) as bar:
        task = bar.add_task("", total=total)
        yield lambda name, rows: bar.update(task, advance=rows, description=name)


def _lines(total: int, console: Console, line_seconds: float) -> Callable[[str, int], None]:
    """A line when a method begins, and at most every `line_seconds` otherwise."""
    meter, last, done = Meter(time.monotonic()), time.monotonic(), 0
    begun: set[str] = set()

    def show(name: str, rows: int) -> None:
        nonlocal last, done
        done += rows
        meter.add(time.monotonic(), 0, done / max(1, total))
        if name not in begun or time.monotonic() - last >= line_seconds or done == total:
            begun.add(name)
            last = time.monotonic()
            left = clock(meter.seconds_left)
            console.print(f"{name}: {done:,} of {total:,} rows, {left} left", highlight=False, markup=False)

    return show
