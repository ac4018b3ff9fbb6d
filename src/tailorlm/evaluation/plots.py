"""What a figure shows, as numbers: lines, points or bars on named axes, and the same numbers as a table.

Knows nothing of how it is drawn (plot_drawing.py), of runs or of methods.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from tailorlm.evaluation.quantities import DASH, rounded

WIDEST, WHISKERS = 12, 5
"""Columns of a table of numbers at most, and lines at most whose intervals can be drawn beside each other."""
UNSEEN = 0.01
"""Lines that are nowhere farther apart than this share of the picture's height cannot be told apart."""
FAINT = "faint"
"""The kind of a line that stands behind the others, without a name."""
RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
Table = tuple[list[str], list[list[str]]]
"""Heads, and rows with a cell a head; what follows a line's end in a cell stands small below it."""


def plainly(value: float) -> str:
    """A number in three digits at most, with a true minus."""
    return written(rounded(value))


def exactly(value: float) -> str:
    """A number in three digits, also where the last ones are 0: numbers below each other line up."""
    return written(f"{value:,.0f}" if abs(value) >= 99.95 else f"{value:#.3g}")


def written(text: str) -> str:
    """A formatted number with a true minus, and its power of ten, where it has one, raised."""
    number, _, power = text.partition("e")
    raised = f"·10{str(int(power)).translate(RAISED)}" if power else ""
    return number.replace("-", "\N{MINUS SIGN}") + raised


@dataclass(frozen=True, slots=True)
class Axis:
    """`told` writes a value, `ticked` one at which a tick stands (`told` again, or fewer digits of a mere number).

    `steps`: values stand evenly apart in the order of `texts`, which names them.

    `rounds` are the values at which a logarithmic axis may have ticks; powers of ten where there are none.
    """

    label: str
    told: Callable[[float], str] = exactly
    ticked: Callable[[float], str] | None = None
    scale: Literal["linear", "log", "steps"] = "linear"
    texts: Mapping[float, str] = field(default_factory=dict)
    rounds: tuple[float, ...] = ()

    @property
    def title(self) -> str:
        """The label, with its scale where equal steps are not equal differences."""
        return f"{self.label}, logarithmic" if self.scale == "log" else self.label

    def said(self, value: float) -> str:
        """A value in words."""
        return self.texts.get(value) or self.told(value)

    def tick(self, value: float) -> str:
        """What stands at a tick."""
        return self.texts.get(value) or (self.ticked or (plainly if self.told is exactly else self.told))(value)


@dataclass(frozen=True, slots=True)
class Point:
    """A value at a place, with its interval (or none), in the units of the axes."""

    x: float
    y: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Line:
    """A name with its points from left to right; `kind` is the style's name of the line, or FAINT."""

    name: str
    points: tuple[Point, ...]
    kind: str = "plain"


@dataclass(frozen=True, slots=True)
class Lines:
    """Lines on common axes; `mark` is (x, y, text) of a place to point out; `note` says what to know."""

    title: str
    x: Axis
    y: Axis
    lines: tuple[Line, ...]
    note: str = ""
    mark: tuple[float, float, str] | None = None

    @property
    def named(self) -> tuple[Line, ...]:
        """The lines that are drawn with their names."""
        return tuple(line for line in self.lines if line.kind != FAINT)

    @property
    def intervals(self) -> bool:
        """Whether any point has an interval."""
        return any(point.low is not None for line in self.lines for point in line.points)

    @property
    def whiskers(self) -> bool:
        """Whether intervals are drawn: not of many lines, where they hide each other."""
        return self.intervals and len(self.named) <= WHISKERS

    @property
    def covered(self) -> dict[str, list[str]]:
        """Names of lines that lie on another one wherever that is, by its name; of lines with names."""
        found: dict[str, list[str]] = {}
        firsts: list[Line] = []
        for line in self.named:
            below = next((first for first in firsts if self._together(first, line)), None)
            if below is None:
                firsts.append(line)
            else:
                found.setdefault(below.name, []).append(line.name)
        return found

    def _together(self, one: Line, other: Line) -> bool:
        levels = [self._level(point.y) for line in self.named for point in line.points]
        least = UNSEEN * (max(levels) - min(levels))
        near = [
            a.x == b.x and abs(self._level(a.y) - self._level(b.y)) <= least
            for a, b in zip(one.points, other.points, strict=False)
        ]
        return len(one.points) == len(other.points) and all(near)

    def _level(self, value: float) -> float:
        return math.log10(value) if self.y.scale == "log" else value

    def table(self) -> Table:
        """A row a line, a column a place; the other way round where there are many places. Of too many places for
        either only some, which the first head says.
        """
        places = sorted({point.x for line in self.lines for point in line.points})
        turned = len(places) > WIDEST >= len(self.lines)
        apart = 1 if turned else -(-len(places) // WIDEST) or 1
        shown = places[::-1][::apart][::-1]
        label = self.x.label if apart == 1 else f"{self.x.label} ({len(shown)} of {len(places)})"
        heads, names = [self.x.said(place) for place in shown], [line.name for line in self.lines]
        rows = [self._cells(line, shown) for line in self.lines]
        if turned:
            return [label, *names], [list(row) for row in zip(heads, *rows, strict=True)]
        return [label, *heads], [[name, *row] for name, row in zip(names, rows, strict=True)]

    def _cells(self, line: Line, places: Sequence[float]) -> list[str]:
        found = {point.x: point for point in line.points}
        return [self._cell(found.get(place)) for place in places]

    def _cell(self, point: Point | None) -> str:
        if point is None:
            return DASH
        if point.low is None or point.high is None:
            return self.y.said(point.y)
        return f"{self.y.said(point.y)}\n{self.y.said(point.low)} to {self.y.said(point.high)}"


@dataclass(frozen=True, slots=True)
class Scatter:
    """Lines of one point each: a name at a place."""

    title: str
    x: Axis
    y: Axis
    lines: tuple[Line, ...]
    note: str = ""

    def table(self) -> Table:
        """A row a name."""
        rows = [[line.name, self.x.said(line.points[0].x), self.y.said(line.points[0].y)] for line in self.lines]
        return ["", self.x.label, self.y.label], rows


@dataclass(frozen=True, slots=True)
class Named:
    """A bar: what it is, its value, and the style's name."""

    name: str
    value: float
    kind: str = "plain"


@dataclass(frozen=True, slots=True)
class Bars:
    """Bars from zero (or dots, on a log scale) under the heading of their group."""

    title: str
    axis: Axis
    groups: tuple[tuple[str, tuple[Named, ...]], ...]
    note: str = ""

    def table(self) -> Table:
        """A row a name, a column a group."""
        names = list(dict.fromkeys(bar.name for _, bars in self.groups for bar in bars))
        found = {(heading, bar.name): self.axis.said(bar.value) for heading, bars in self.groups for bar in bars}
        rows = [[name, *(found.get((heading, name), DASH) for heading, _ in self.groups)] for name in names]
        return ["", *(heading or self.axis.label for heading, _ in self.groups)], rows


Plot = Lines | Scatter | Bars
