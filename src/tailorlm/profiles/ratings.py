"""Statements on a task whose outputs are numbers: level, spread, usual value; with norms, strictness and
range.

Knows of other users only what `norms.py` kept, and nothing of what the numbers measure.
"""

from collections.abc import Iterator, Sequence
from math import sqrt
from statistics import fmean

from tailorlm.data.records import Interaction
from tailorlm.profiles.leaning import leaning
from tailorlm.profiles.norms import Norms
from tailorlm.profiles.number import number

SMALL = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")


def describe(items: Sequence[Interaction], norms: Norms | None = None) -> Iterator[tuple[str, str]]:
    """(facet, words) for level, spread and usual value, and, with `norms`, for strictness and range."""
    rated = [(item.input, value) for item in items if (value := number(item.output)) is not None]
    values = [value for _, value in rated]
    yield "level", _level(values)
    yield "spread", _spread(values)
    yield "usual", _usual(values)
    if norms is not None:
        expected = [norms.expected(text) for text, _ in rated]
        offset, stretch = leaning(expected, values, norms.low, norms.high)
        yield "strictness", _strictness(offset)
        yield "range", _range(stretch)


def _strictness(offset: float) -> str:
    if abs(offset) < 0.25:
        return "rates as others rate the same words"
    size = "half a" if abs(offset) < 0.75 else half(abs(offset))
    points = f"about {size} {'point' if abs(offset) < 1.25 else 'points'}"
    return f"{'generous' if offset > 0 else 'strict'}, {points} {'more' if offset > 0 else 'less'} than others"


def _range(stretch: float) -> str:
    levels = (
        (-1.25, "much narrower than"),
        (-0.75, "clearly narrower than"),
        (-0.25, "a little narrower than"),
        (0.25, "like"),
        (0.75, "a little wider than"),
        (1.25, "clearly wider than"),
    )
    words = next((words for most, words in levels if stretch < most), "much wider than")
    return f"spreads good from bad {words} others do"


def _level(values: Sequence[float]) -> str:
    hedge = "so far " if len(values) <= 2 else ""
    return f"ratings {hedge}average about {half(fmean(values))}"


def half(value: float) -> str:
    """A number in words, to the nearest half up to ten, to two figures beyond."""
    twice = round(value * 2)
    if not 0 <= twice <= 20:
        return f"{float(f'{value:.2g}'):g}"
    whole = SMALL[twice // 2]
    return f"{whole} and a half" if twice % 2 else whole


def _spread(values: Sequence[float]) -> str:
    """Spread against what ratings of one to five show; longer scales are always wide."""
    if len(values) <= 2:
        return "too few ratings to say how far they spread"
    middle = fmean(values)
    spread = sqrt(fmean((value - middle) ** 2 for value in values))
    levels = (
        (0.35, "hardly differ"),
        (0.7, "differ a little"),
        (1.05, "differ moderately"),
        (1.4, "differ widely"),
    )
    return "ratings " + next((words for most, words in levels if spread < most), "swing between extremes")


def _usual(values: Sequence[float]) -> str:
    """The value given most often, when it has a clear share."""
    if len(values) <= 2:
        return "too few ratings to name a usual one"
    best = max(sorted(set(values)), key=values.count)
    share = values.count(best) / len(values)
    if share < 0.4:
        return "no rating is given most of the time"
    return f"the rating {half(best)} is given {'most of the time' if share >= 0.6 else 'often'}"
