"""Small charts as SVG: dots with intervals, bars, bars from a reference, positions on a log scale.

Knows nothing of methods or results: it draws labels and numbers. Every chart has a title and a text beside
every mark, and takes its colours from the page's style: dark mode and print need no second drawing.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from tailorlm.evaluation.markup import Markup, element, joined
from tailorlm.evaluation.quantities import DASH

WIDTH = 336.0
LEFT, RIGHT = 127.0, 58.0
"""Room for labels on the left and for values on the right of the plot."""
LONGEST, ROW = 20.5, 18.0
"""Letters of a label at most in one line, and the height of a bar's row."""


@dataclass(frozen=True, slots=True)
class Dot:
    """A value with its interval (or none), in the units of the axis."""

    value: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class DotRow:
    """A label with a dot a series (None: not measured); `kind` is the style's name of the row."""

    label: str
    dots: tuple[Dot | None, ...]
    kind: str = "plain"


@dataclass(frozen=True, slots=True)
class Bar:
    """A label, a value in the axis' units, what to write beside it, and the style's name of the bar."""

    label: str
    value: float
    text: str
    kind: str = "plain"


def picture(title: str, about: str, height: float, *children: Markup) -> Markup:
    """An SVG of the charts' width with its accessible title and description."""
    return element(
        "svg", element("title", title), element("desc", about), *children,
        viewBox=f"0 0 {WIDTH:g} {math.ceil(height)}", role="img", class_="chart",
    )  # fmt: skip


def place(value: float, low: float, high: float) -> float:
    """Where a value of low..high stands between the labels."""
    return LEFT + (value - low) / (high - low) * (WIDTH - LEFT - RIGHT)


def words(x: float, y: float, text: str, class_: str = "label", anchor: str = "start") -> Markup:
    """Text at a point."""
    return element("text", text, x=x, y=y, class_=class_, text_anchor=anchor)


def label(y: float, text: str, kind: str) -> Markup:
    """A row's name on the left of the plot, its middle at height `y`; a long one in two lines, squeezed if need be."""
    if not long(text):
        return words(LEFT - 8, y + 4, text, f"label {kind}", "end")
    return joined(*(half(y - 1.5 + 10.5 * number, line, kind) for number, line in enumerate(halves(text))))


def long(text: str) -> bool:
    """Whether a label does not fit into one line; capitals are wider."""
    return len(text) + sum(letter.isupper() for letter in text) / 4 > LONGEST


def half(y: float, text: str, kind: str) -> Markup:
    """One of a label's two lines."""
    squeezed = len(text) > LONGEST + 2
    return element(
        "text", text, x=LEFT - 8, y=y, class_=f"label small {kind}", text_anchor="end",
        textLength=LEFT - 10 if squeezed else None, lengthAdjust="spacingAndGlyphs" if squeezed else None,
    )  # fmt: skip


def halves(text: str) -> tuple[str, str]:
    """A text in two lines: before its bracket, or at the space, else the sign of a name, nearest to its middle."""
    bracket, middle = text.find(" ("), len(text) / 2
    gaps = [place for place, letter in enumerate(text) if letter == " "]
    joints = [place + 1 for place, letter in enumerate(text[:-1]) if letter in "_-+/"]
    if not gaps:
        cut = min(joints or [len(text) // 2], key=lambda place: abs(place - middle))
        return text[:cut], text[cut:]
    cut = bracket if bracket > 0 else min(gaps, key=lambda place: abs(place - middle))
    return text[:cut], text[cut + 1 :]


def grid(ticks: Sequence[tuple[float, str]], top: float, bottom: float) -> Markup:
    """Vertical lines at x positions with their texts below."""
    return joined(
        *(element("line", x1=x, x2=x, y1=top, y2=bottom, class_="grid") for x, _ in ticks),
        *(words(x, bottom + 14, text, "tick", "middle") for x, text in ticks),
    )


def dot_chart(title: str, about: str, rows: Sequence[DotRow]) -> Markup:
    """Dots of 0..100 with intervals: a row a label, a mark a series (disc, diamond), values on the right."""
    height = 24.0 * len(rows)
    ticks = [(place(tick, 0, 100), f"{tick:g}") for tick in (0, 25, 50, 75, 100)]
    drawn = [dot_row(row, 24.0 * number + 12) for number, row in enumerate(rows)]
    return picture(title, about, height + 22, grid(ticks, 0, height), *drawn)


def dot_row(row: DotRow, y: float) -> Markup:
    """The label, the marks and the values of a row around height `y`."""
    shown = [(series, dot) for series, dot in enumerate(row.dots) if dot is not None]
    spread = 4.5 if len(row.dots) > 1 else 0.0
    marks = [mark(dot, series, y - spread + 2 * spread * series, row.kind) for series, dot in shown]
    values = " / ".join(DASH if dot is None else f"{math.floor(dot.value + 0.5)}" for dot in row.dots)
    return joined(label(y, row.label, row.kind), *marks, words(WIDTH, y + 4, values, f"value {row.kind}", "end"))


def mark(dot: Dot, series: int, y: float, kind: str) -> Markup:
    """A disc (series 0) or an open diamond (series 1) with its interval."""
    x = place(dot.value, 0, 100)
    line = None
    if dot.low is not None and dot.high is not None:
        ends = {"x1": place(dot.low, 0, 100), "x2": place(dot.high, 0, 100)}
        line = element("line", y1=y, y2=y, class_=f"interval {kind}", **ends)
    if series == 0:
        return joined(line, element("circle", cx=x, cy=y, r=3.6, class_=f"mark {kind}"))
    shape = f"M{x - 4.2:.2f} {y:.2f}l4.2 -4.2l4.2 4.2l-4.2 4.2z"
    return joined(line, element("path", d=shape, class_=f"mark open {kind}"))


def bar_chart(title: str, about: str, groups: Sequence[tuple[str, Sequence[Bar]]]) -> Markup:
    """Bars of 0..100 under the heading of their group."""
    drawn, y = [], 0.0
    for heading, bars in groups:
        drawn.append(words(0, y + 14, heading, "heading told"))
        drawn += [one_bar(bar, y + 20 + 18 * number, 0, 0, 100) for number, bar in enumerate(bars)]
        y += 20 + 18 * len(bars) + 10
    ticks = [(place(tick, 0, 100), f"{tick:g}") for tick in (0, 50, 100)]
    return picture(title, about, y + 22, grid(ticks, 0, y), *drawn)


def one_bar(bar: Bar, y: float, start: float, low: float, high: float) -> Markup:
    """A bar from `start` to its value, 14 high, with its label and its text."""
    x, zero = place(bar.value, low, high), place(start, low, high)
    box = element("rect", x=min(x, zero), y=y, width=max(abs(x - zero), 0.5), height=13, class_=f"bar {bar.kind}")
    return joined(label(y + 7, bar.label, bar.kind), box, words(WIDTH, y + 11, bar.text, f"value {bar.kind}", "end"))


def gain_chart(title: str, about: str, bars: Sequence[Bar], reference: Bar) -> Markup:
    """Bars from zero, some to the left, and a vertical line at the reference's value with its text above."""
    values = [bar.value for bar in (*bars, reference)]
    low, most = min(0.0, *values), max(1.0, *values)
    high = ROW + 5 if any(long(bar.label) for bar in bars) else ROW
    top, height = 22.0, high * len(bars)
    x, zero = place(reference.value, low, most), place(0, low, most)
    lines = joined(
        element("line", x1=zero, x2=zero, y1=top, y2=top + height, class_="axis"),
        element("line", x1=x, x2=x, y1=top - 4, y2=top + height, class_="reference"),
        words(x, 12, f"{reference.label} {reference.text}", "value tuned", "end"),
    )
    drawn = [one_bar(bar, top + high * number + 2, 0, low, most) for number, bar in enumerate(bars)]
    return picture(title, about, top + height + 4, *drawn, lines)


def log_chart(title: str, about: str, bars: Sequence[Bar], ticks: Sequence[tuple[float, str]]) -> Markup:
    """Positions of positive values on a log scale that spans the ticks (value, text), from the lowest up."""
    low, high = math.log10(ticks[0][0]), math.log10(ticks[-1][0])
    height = 26.0 * len(bars)
    marks = [(place(math.log10(value), low, high), text) for value, text in ticks]
    drawn = []
    for number, bar in enumerate(bars):
        x, y = place(math.log10(bar.value), low, high), 26.0 * number + 13
        drawn += [
            element("line", x1=LEFT, x2=x, y1=y, y2=y, class_=f"interval {bar.kind}"),
            element("circle", cx=x, cy=y, r=5, class_=f"mark {bar.kind}"),
            label(y, bar.label, bar.kind),
            words(WIDTH, y + 4, bar.text, f"value {bar.kind}", "end"),
        ]
    return picture(title, about, height + 22, grid(marks, 0, height), *drawn)


def decades(low: float, high: float) -> list[float]:
    """Two to four powers of ten, evenly apart, around positive low..high."""
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    apart = max(1, -(-(last - first) // 3))
    steps = max(1, -(-(last - first) // apart))
    return [10.0 ** (first + apart * step) for step in range(steps + 1)]
