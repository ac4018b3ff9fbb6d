"""Where values stand on an axis, and at which round values it has ticks.

Knows nothing of drawing.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from tailorlm.evaluation.plots import Axis

SIZES = (1.0, 2.0, 2.5, 5.0, 10.0)
MOST = 6
"""Ticks of a logarithmic axis at most."""


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
    return Scale(axis, low, high, tuple((tick, axis.tick(tick)) for tick in ticks), start, end)


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
    if low == high:
        low, high = (low - 0.5, high + 0.5) if low else (0.0, 1.0)
    rough = (high - low) / 4
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * size for size in SIZES if power * size >= rough * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(step * count, 12) for count in range(first, last + 1)]
