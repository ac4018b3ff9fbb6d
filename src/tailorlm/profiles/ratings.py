"""Statements on a task whose outputs are numbers: mean, spread, shares of low, middle and high.

Knows nothing of other users and not what the numbers measure.
"""

import re
from collections.abc import Iterator, Sequence
from statistics import fmean, pstdev

from tailorlm.data.records import Interaction

NUMBER = re.compile(r"\s*([-+]?\d+(?:[.,]\d+)?)\s*(?:/\s*\d+|(?:stars?|points?))?\s*[.!]?\s*", re.IGNORECASE)
SMALL = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")


def number(text: str) -> float | None:
    """The number that a whole output is ("4", "4.5", "4 stars", "4/5"), or None."""
    match = NUMBER.fullmatch(text)
    return float(match[1].replace(",", ".")) if match else None


def describe(items: Sequence[Interaction]) -> Iterator[tuple[str, str]]:
    """(facet, words) for level, spread, extremes. Items whose output is not a number say nothing."""
    values = [value for item in items if (value := number(item.output)) is not None]
    yield "level", _level(values)
    yield "spread", _spread(values)
    yield "usual", _usual(values)


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
    spread = pstdev(values)
    levels = ((0.35, "hardly differ"), (0.7, "differ a little"), (1.05, "differ moderately"), (1.4, "differ widely"))
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
