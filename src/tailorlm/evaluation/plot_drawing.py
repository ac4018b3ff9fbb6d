"""Lines, points and bars as SVG, from a figure's numbers.

Lines differ in colour, in dashes and in the shape of their marks; every one is named below. Knows nothing of runs.
"""

from collections.abc import Sequence
from itertools import count, pairwise
from textwrap import wrap

from tailorlm.evaluation import charts
from tailorlm.evaluation.charts import WIDTH, picture, words
from tailorlm.evaluation.markup import Markup, element, joined
from tailorlm.evaluation.plot_scales import Scale, scale
from tailorlm.evaluation.plots import Bars, Line, Lines, Named, Plot, Point, Scatter

LEFT, RIGHT, TOP, BOTTOM = 46.0, 14.0, 22.0, 190.0
OTHERS, SHAPES, ROW = 4, 8, 18.0
"""Colours of what is neither ours nor trained a user, shapes of marks, height of a line of the legend."""
BESIDE, MARKS = 2.4, 14
"""How far lines with intervals stand apart, and marks of a line at most."""
MARGIN = 6.0
"""Room between the lowest and highest mark and the edges."""
LONGEST, WIDEST = 16, 46
"""Letters of a name at most for two names to stand side by side in the legend, and of a line of a heading."""


def drawn(plot: Plot) -> Markup:
    """The picture of a figure's numbers."""
    if isinstance(plot, Bars):
        return bars(plot)
    return lines(plot)


def lines(plot: Lines | Scatter) -> Markup:
    """Lines with marks and intervals (or marks alone), axes, the place pointed out, and the names below."""
    named = plot.named if isinstance(plot, Lines) else plot.lines
    across = scale(plot.x, [point.x for line in plot.lines for point in line.points], LEFT + 16, WIDTH - RIGHT - 16)
    up = scale(plot.y, heights(plot), BOTTOM - MARGIN, TOP + MARGIN)
    styles = styled(named)
    body = [
        curve(line, style, across, up, isinstance(plot, Lines) and plot.whiskers, beside(number, plot))
        for number, (line, style) in enumerate(zip(named, styles, strict=True))
    ]
    behind = [faint(line, across, up) for line in plot.lines if line not in named]
    mark = pointed(plot.mark, across, up) if isinstance(plot, Lines) and plot.mark else None
    below, legend = names(named, styles, BOTTOM + 46)
    return picture(plot.title, about(plot), below, frame(across, up), joined(*behind, mark, *body), legend)


def faint(line: Line, across: Scale, up: Scale) -> Markup:
    """A line behind the others."""
    path = " ".join(f"{across.place(point.x):.1f},{up.place(point.y):.1f}" for point in line.points)
    return element("polyline", points=path, class_="curve faint")


def beside(number: int, plot: Lines | Scatter) -> float:
    """How far a line is moved sideways, so that intervals at one place do not cover each other."""
    if not isinstance(plot, Lines) or not plot.whiskers or plot.x.scale != "steps":
        return 0.0
    return BESIDE * (number - (len(plot.named) - 1) / 2)


def heights(plot: Lines | Scatter) -> list[float]:
    """All values that the y axis must hold."""
    points = [point for line in plot.lines for point in line.points]
    whiskers = isinstance(plot, Lines) and plot.whiskers
    ends = [end for point in points for end in (point.low, point.high) if end is not None and whiskers]
    return [point.y for point in points] + ends


def styled(found: Sequence[Line]) -> list[int]:
    """A style for each line: 0 is ours, 1 what is trained a user, the others from 2 on in their order."""
    taken, free = set(), count(2)
    styles = []
    for line in found:
        own = {"ours": 0, "tuned": 1}.get(line.kind)
        styles.append(next(free) if own is None or own in taken else own)
        taken.add(styles[-1])
    return styles


def coloured(style: int) -> str:
    """The style's name of a colour: the first two stand for their kind alone."""
    return f"c{style if style < 2 else 2 + (style - 2) % OTHERS}"


def frame(across: Scale, up: Scale) -> Markup:
    """Grid, ticks and the names of both axes; ticks that would touch are left without text."""
    right, spots = WIDTH - RIGHT, [(across.place(value), text) for value, text in across.ticks]
    every = next(step for step in count(1) if fits(spots[::step]))
    return joined(
        *(element("line", x1=x, x2=x, y1=TOP, y2=BOTTOM, class_="grid") for x, _ in spots[::every]),
        *(element("line", x1=LEFT, x2=right, y1=up.place(value), y2=up.place(value), class_="grid")
          for value, _ in up.ticks),
        *(words(x, BOTTOM + 14, text, "tick", "middle") for x, text in spots[::every]),
        *(words(LEFT - 6, up.place(value) + 4, text, "tick", "end") for value, text in up.ticks),
        words(0, 10, up.axis.title, "tick"),
        words(right, BOTTOM + 30, across.axis.title, "tick", "end"),
    )  # fmt: skip


def fits(spots: Sequence[tuple[float, str]]) -> bool:
    """Whether texts in the middle of their places do not touch."""
    return all(b - a > 3.1 * (len(one) + len(other)) + 4 for (a, one), (b, other) in pairwise(spots))


def curve(line: Line, style: int, across: Scale, up: Scale, whiskers: bool, aside: float) -> Markup:
    """A line through its points, their `whiskers` and marks, moved `aside`."""
    spots = [(across.place(point.x) + aside, up.place(point.y), point) for point in line.points]
    colour = coloured(style)
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y, _ in spots)
    through = element("polyline", points=path, class_=f"curve {colour} d{style % 5}") if len(spots) > 1 else None
    return joined(
        *(whisker(x, point, up, colour) for x, _, point in spots if whiskers),
        through, *(shape(x, y, style) for x, y, _ in spots[:: -(-len(spots) // MARKS)]),
    )  # fmt: skip


def whisker(x: float, point: Point, up: Scale, colour: str) -> Markup | None:
    """The interval of a point."""
    if point.low is None or point.high is None:
        return None
    return element("line", x1=x, x2=x, y1=up.place(point.low), y2=up.place(point.high), class_=f"whisker {colour}")


def shape(x: float, y: float, style: int) -> Markup:
    """A mark: disc, diamond, square, triangles, cross, plus or hourglass; 30 styles differ in it or in colour."""
    paths = (
        "M-3.6 0a3.6 3.6 0 1 0 7.2 0a3.6 3.6 0 1 0 -7.2 0z", "M0 -4.6L4.6 0L0 4.6L-4.6 0z", "M-3.3 -3.3h6.6v6.6h-6.6z",
        "M0 -4.2L4.2 3.2h-8.4z", "M0 4.2L4.2 -3.2h-8.4z", "M-3.4 -3.4L3.4 3.4M-3.4 3.4L3.4 -3.4",
        "M-4.2 0H4.2M0 -4.2V4.2", "M-3.8 -4h7.6L-3.8 4h7.6z",
    )  # fmt: skip
    return element(
        "path",
        d=paths[(style + style // SHAPES) % SHAPES],
        transform=f"translate({x:.1f} {y:.1f})",
        class_=f"spot {coloured(style)}",
    )


def pointed(mark: tuple[float, float, str], across: Scale, up: Scale) -> Markup:
    """A ring around a place, a line down to the axis, and its text there, on the side where there is room."""
    x, y = across.place(mark[0]), up.place(mark[1])
    right = x > (LEFT + WIDTH) / 2
    return joined(
        element("circle", cx=x, cy=y, r=6.5, class_="ring"),
        element("line", x1=x, x2=x, y1=y + 6.5, y2=BOTTOM, class_="reference"),
        words(x - 5 if right else x + 5, BOTTOM - 6, mark[2], "label told", "end" if right else "start"),
    )


def names(found: Sequence[Line], styles: Sequence[int], top: float) -> tuple[float, Markup]:
    """The legend, in two columns where names are short, and where it ends; a long name goes on in the next line."""
    columns = 2 if len(found) > 2 and all(len(line.name) <= LONGEST for line in found) else 1
    keys, y = [], top
    for number, (line, style) in enumerate(zip(found, styles, strict=True)):
        x, told = number % columns * (WIDTH / 2), wrap(line.name, WIDEST) or [""]
        stroke = element("line", x1=x, x2=x + 26, y1=y, y2=y, class_=f"curve {coloured(style)} d{style % 5}")
        keys += [stroke if len(line.points) > 1 else None, shape(x + 13, y, style)]
        keys += [words(x + 33, y + 4 + 15 * place, part, f"label {line.kind}") for place, part in enumerate(told)]
        last = number % columns == columns - 1 or number == len(found) - 1
        y += ROW + 15 * (len(told) - 1) if last else 0.0
    return y - 4, joined(*keys)


def about(plot: Plot) -> str:
    """The numbers in words, for those who do not see the picture."""
    heads, rows = plot.table()
    told = "; ".join(f"{row[0]}: {', '.join(row[1:])}" for row in rows).replace("\n", ", interval ")
    return f"{', '.join(head for head in heads if head)}. {told}."


def bars(plot: Bars) -> Markup:
    """Bars from zero under their headings; on a log scale dots."""
    values = [bar.value for _, group in plot.groups for bar in group]
    values = [min(values) / 2, *values] if plot.axis.scale == "log" else values
    across = scale(plot.axis, values, charts.LEFT, WIDTH - charts.RIGHT, zero=plot.axis.scale == "linear")
    body, y = [], 0.0
    high = 25 if any(charts.long(bar.name) for _, group in plot.groups for bar in group) else 20
    for heading, group in plot.groups:
        lines = wrap(heading, WIDEST)
        body += [words(0, y + 14 + 15 * number, line, "heading told") for number, line in enumerate(lines)]
        y += 4 + 16 * len(lines)
        body += [one_bar(bar, across, y + high * number) for number, bar in enumerate(group)]
        y += high * len(group) + 8
    ticks = [(across.place(value), text) for value, text in across.ticks]
    every = next(step for step in count(1) if fits(ticks[::step]))
    label = words(WIDTH, y + 30, plot.axis.title, "tick", "end")
    return picture(plot.title, about(plot), y + 36, charts.grid(ticks[::every], 0, y), *body, label)


def one_bar(bar: Named, across: Scale, y: float) -> Markup:
    """A bar with its name and value."""
    x, log = across.place(bar.value), across.axis.scale == "log"
    start = across.start if log else across.place(0.0)
    box = element("rect", x=min(x, start), y=y, width=max(abs(x - start), 0.5), height=14, class_=f"bar {bar.kind}")
    dot = joined(element("line", x1=start, x2=x, y1=y + 7, y2=y + 7, class_=f"interval {bar.kind}"),
                 element("circle", cx=x, cy=y + 7, r=5, class_=f"mark {bar.kind}"))  # fmt: skip
    return joined(
        charts.label(y + 7, bar.name, bar.kind),
        dot if log else box,
        words(WIDTH, y + 11, across.axis.said(bar.value), f"value {bar.kind}", "end"),
    )
