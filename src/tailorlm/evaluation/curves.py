"""Training curves as SVG: loss against seconds, a line a training.

Knows nothing of trainings. Lines differ in dashes as well as in colour, and the legend shows both.
"""

from collections.abc import Sequence

from tailorlm.evaluation.charts import WIDTH, grid, picture, words
from tailorlm.evaluation.markup import Markup, element

LEFT, TOP, BOTTOM = 40.0, 8.0, 180.0
MOST = 120
"""Points a line at most: more are averaged in bins of like size."""

Points = Sequence[tuple[float, float]]


def line_chart(title: str, about: str, lines: Sequence[tuple[str, Points]]) -> Markup:
    """Lines of (x, y) points, x from 0, y from 0 to the highest: axes with texts, legend below."""
    thin = [(name, binned(points)) for name, points in lines]
    right, top = ends(thin)
    across, up = steps(right), steps(top)
    axes = grid([(LEFT + value / right * (WIDTH - LEFT - 12), f"{value:g}") for value in across], TOP, BOTTOM)
    levels = [level(value, top) for value in up]
    drawn = [curve(points, right, top, number) for number, (_, points) in enumerate(thin)]
    keys = [key(name, number) for number, (name, _) in enumerate(thin)]
    seconds = words(WIDTH - 8, BOTTOM + 30, "seconds", "tick", "end")
    return picture(title, about, BOTTOM + 38 + 18 * len(thin), axes, *levels, seconds, *drawn, *keys)


def binned(points: Points) -> Points:
    """At most MOST points, each the mean of neighbours."""
    size = -(-len(points) // MOST) or 1
    parts = [points[start : start + size] for start in range(0, len(points), size)]
    return [(sum(x for x, _ in part) / len(part), sum(y for _, y in part) / len(part)) for part in parts]


def ends(lines: Sequence[tuple[str, Points]]) -> tuple[float, float]:
    """The largest x and y of all lines, never 0."""
    points = [point for _, line in lines for point in line]
    return max((x for x, _ in points), default=0) or 1.0, max((y for _, y in points), default=0) or 1.0


def steps(high: float) -> list[float]:
    """Three to six round numbers from 0 to at most `high`."""
    rough = 10.0 ** len(str(int(high))) if high >= 1 else 1.0
    sizes = [rough * part / 10**power for power in range(0, 8) for part in (1, 0.5, 0.2)]
    size = next(size for size in sizes if high / size >= 3)
    return [round(size * count, 8) for count in range(int(high / size) + 1)]


def level(value: float, top: float) -> Markup:
    """A horizontal line at `value` with its text on the left."""
    y = height(value, top)
    line = element("line", x1=LEFT, x2=WIDTH - 12, y1=y, y2=y, class_="grid")
    return element("g", line, words(LEFT - 6, y + 4, f"{value:g}", "tick", "end"))


def height(value: float, top: float) -> float:
    """The y of a value of 0..top."""
    return BOTTOM - value / top * (BOTTOM - TOP)


def curve(points: Points, right: float, top: float, number: int) -> Markup:
    """One line, in the style of its number."""
    scale = (WIDTH - LEFT - 12) / right
    path = " ".join(f"{LEFT + x * scale:.1f},{height(y, top):.1f}" for x, y in points)
    return element("polyline", points=path, class_=f"line line{number % 5}")


def key(name: str, number: int) -> Markup:
    """A sample of a line and its name."""
    y = BOTTOM + 40 + 18 * number
    sample = element("line", x1=LEFT, x2=LEFT + 30, y1=y, y2=y, class_=f"line line{number % 5}")
    return element("g", sample, words(LEFT + 38, y + 4, name, "label"))
