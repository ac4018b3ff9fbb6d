"""A run's progress for people: a live bar in a terminal, a plain line every n seconds elsewhere.

Knows nothing of training; shows what it is given. Never shows users' text.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn


@dataclass(frozen=True)
class Display:
    """`show(text, done)`: where the run is, `done` in 0..1; `say(text)`: a line that stays."""

    show: Callable[[str, float], None]
    say: Callable[[str], None]


class Meter:
    """Speed over the recent past (an exponential mean), and seconds left at that speed."""

    def __init__(self, start: float, memory: float = 20.0) -> None:
        """`start` is a clock's reading in seconds; `memory` is the mean's time constant in seconds."""
        self._last, self._memory = start, memory
        self._weight = self._tokens = self._share = 0.0
        self._done: float | None = None

    def add(self, now: float, tokens: int, done: float) -> None:
        """Count a step's tokens at time `now`, with the run at `done` (0..1)."""
        seconds = max(now - self._last, 1e-9)
        old = 0.5 ** (seconds / self._memory)
        gained = done - (self._done if self._done is not None else done)
        self._weight = self._weight * old + seconds
        self._tokens = self._tokens * old + tokens
        self._share = self._share * old + gained
        self._last, self._done = now, done

    @property
    def tokens_per_second(self) -> float:
        """0 before the first step."""
        return self._tokens / self._weight if self._weight else 0.0

    @property
    def seconds_left(self) -> float | None:
        """None while there is nothing to tell it from."""
        if self._done is None or self._share <= 0:
            return None
        return (1.0 - self._done) * self._weight / self._share


def clock(seconds: float | None) -> str:
    """Seconds as m:ss or h:mm:ss; unknown as -:--."""
    if seconds is None:
        return "-:--"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def step_line(step: int, steps: int, loss: float, meter: Meter) -> str:
    """What is shown after a step: loss, tokens/s where tokens are counted, time left."""
    speed = f"{meter.tokens_per_second:,.0f} tokens/s  " if meter.tokens_per_second else ""
    return f"step {step}/{steps}  loss {loss:.4f}  {speed}{clock(meter.seconds_left)} left"


@contextmanager
def display(console: Console, line_seconds: float) -> Iterator[Display]:
    """A live bar where `console` is a terminal, otherwise a line at most every `line_seconds`."""
    if not console.is_terminal:
        yield _lines(console, line_seconds)
        return
    bar = Progress(
        TextColumn("training"),
        BarColumn(),
        TextColumn("{task.description}"),
        TimeElapsedColumn(),
        console=console,
        refresh_per_second=2,
    )
    with bar:
        task = bar.add_task("", total=1.0)
        yield Display(
            lambda text, done: bar.update(task, completed=done, description=text),
            lambda text: console.print(text, highlight=False, markup=False),
        )


def _lines(console: Console, line_seconds: float) -> Display:
    last = time.monotonic()

    def say(text: str) -> None:
        console.print(text, highlight=False, markup=False, soft_wrap=True)

    def show(text: str, done: float) -> None:
        nonlocal last
        if time.monotonic() - last >= line_seconds:
            last = time.monotonic()
            say(text)

    return Display(show, say)
