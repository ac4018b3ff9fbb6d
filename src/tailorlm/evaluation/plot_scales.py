"""Where values stand on an axis, and at which round values it has ticks.

Knows nothing of drawing.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from tailorlm.evaluation.plots import Axis

SIZES = (1.0, 2.0, 2.5, 5.0, 10.0)
MOST, MOST_DIGITS = 6, 9
"""Ticks of a logarithmic axis at most, and digits after a point."""

NEAR, TINY = 1e-9, 1e-200
"""Values that are nearer to each other than this share of them, or than this, are one value."""


@dataclass(frozen=True, slots=True)
class Scale:
    """An axis of values low..high from `start` to `end` (in the drawing's units), with its ticks (value, text)."""

    axis: Axis
    low: float
    high: float
    ticks: tuple[tuple[float, str], ...]
    start: float
    end: float

    def place(self, value: float) -> float:
        """Where a value stands; the middle where there is one value only."""
        low, high = self._number(self.low), self._number(self.high)
        share = 0.5 if low == high else (self._number(value) - low) / (high - low)
        return self.start + share * (self.end - self.start)

    def _number(self, value: float) -> float:
        if self.axis.scale == "log":
            return math.log10(value)
        return float(list(self.axis.texts).index(value)) if self.axis.scale == "steps" else value


def scale(axis: Axis, values: Sequence[float], start: float, end: float, zero: bool = False) -> Scale:
    """The axis around `values` (at least one; above 0 on a log scale); `zero`: from or through 0.

    A linear axis ends at ticks, a logarithmic one at its lowest and highest value.
    """
    if axis.scale == "log":
        low, high = min(values), max(values)
        ticks = within(axis, low, high)
    else:
        held = [*values, 0.0] if zero else values
        ticks = list(axis.texts) if axis.scale == "steps" else rounds(min(held), max(held))
        low, high = ticks[0], ticks[-1]
    return Scale(axis, low, high, tuple(zip(ticks, texts(axis, ticks), strict=True)), start, end)


def texts(axis: Axis, ticks: Sequence[float]) -> list[str]:
    """What stands at the ticks: of numbers so near each other that they read alike, as many digits as it takes."""
    told = [axis.tick(tick) for tick in ticks]
    if len(set(told)) == len(told) or not all(text.replace(".", "").isdigit() for text in told):
        return told
    found = ([f"{tick:.{digits}f}" for tick in ticks] for digits in range(MOST_DIGITS))
    return next((one for one in found if len(set(one)) == len(one)), told)


def within(axis: Axis, low: float, high: float) -> list[float]:
    """At most MOST round values in low..high: the axis' own, or powers of ten; 1, 2, 5 where these are too few."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for found in (axis.rounds, [10.0**power for power in powers], [f * 10.0**p for p in powers for f in (1, 2, 5)]):
        inside = [value for value in found if low * 0.999 <= value <= high * 1.001]
        if len(inside) > 1:
            return inside[:: -(-len(inside) // MOST)]
    return [low, high] if high > low else [low]


def rounds(low: float, high: float) -> list[float]:
    """Three to seven round values around low..high, evenly apart."""
    if high - low <= max(NEAR * max(abs(low), abs(high)), TINY):
        low, high = (low - abs(low) / 100, high + abs(high) / 100) if abs(low) > TINY else (0.0, 1.0)
    rough = (high - low) / 4
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * size for size in SIZES if power * size >= rough * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [float(f"{step * count:.12g}") for count in range(first, last + 1)]
