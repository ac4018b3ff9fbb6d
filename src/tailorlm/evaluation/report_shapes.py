"""What `results.json` may hold, field by field: a file of somebody else's is refused in a sentence, not half-way.

Knows nothing of what the numbers mean. Source: issue 2 section 3, issue 4 (results.json).
"""

import math
from collections.abc import Callable, Mapping
from typing import Any

Check = Callable[[Any, str], None]
"""Raises ValueError, with the place, for a value that is not of its shape."""


def number(value: Any, where: str) -> None:
    """A finite number."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not finite(value):
        raise ValueError(f"{where}: expected a finite number, found {type(value).__name__}")


def finite(value: float) -> bool:
    """Whether a number is one that can be drawn; a whole one of too many digits is not."""
    try:
        return math.isfinite(value)
    except OverflowError:
        return False


def score(value: Any, where: str) -> None:
    """A number from 0 to 1."""
    number(value, where)
    if not 0 <= value <= 1:
        raise ValueError(f"{where}: {value:g}: expected a score from 0 to 1")


def count(value: Any, where: str) -> None:
    """A whole number, 0 or more."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 0 or not finite(value):
        raise ValueError(f"{where}: expected a whole number, 0 or more, found {type(value).__name__}")


def flag(value: Any, where: str) -> None:
    """True or false."""
    if not isinstance(value, bool):
        raise ValueError(f"{where}: expected true or false, found {type(value).__name__}")


def anything(value: Any, where: str) -> None:
    """Whatever there is: it is shown as text."""


def maybe(inner: Check) -> Check:
    """That, or null."""
    return lambda value, where: None if value is None else inner(value, where)


def by_name(inner: Check) -> Check:
    """A table of such values by name."""

    def check(value: Any, where: str) -> None:
        if not isinstance(value, Mapping):
            raise ValueError(f"{where}: expected a JSON object, found {type(value).__name__}")
        for name, one in value.items():
            inner(one, f"{where}.{name}")

    return check


def many(inner: Check, length: int | None = None) -> Check:
    """A list of such values, of `length` where that is given."""

    def check(value: Any, where: str) -> None:
        if not isinstance(value, list) or length not in (None, len(value)):
            wanted = "a JSON list" if length is None else f"a JSON list of {length}"
            raise ValueError(f"{where}: expected {wanted}, found {type(value).__name__}")
        for place, one in enumerate(value):
            inner(one, f"{where}[{place}]")

    return check


def with_fields(**fields: Check) -> Check:
    """A table that has these fields, whatever else it has."""

    def check(value: Any, where: str) -> None:
        by_name(anything)(value, where)
        for name, inner in fields.items():
            if name not in value:
                raise ValueError(f'{where}: field "{name}" is missing')
            inner(value[name], f"{where}.{name}")

    return check


def layers(value: Any, where: str) -> None:
    """A list of steps, each a list of as many numbers, one at least."""
    many(many(number))(value, where)
    if len({len(step) for step in value}) > 1 or [] in value:
        raise ValueError(f"{where}: expected as many layers in every step, one at least")


def timing(value: Any, where: str) -> None:
    """Seconds and sizes by name, and the tables among them."""
    by_name(anything)(value, where)
    for name, one in value.items():
        TIMES.get(name, maybe(number))(one, f"{where}.{name}")


def judgements(value: Any, where: str) -> None:
    """Whose judgement it is, and by method (and by pair of methods), split and task numbers."""
    by_name(anything)(value, where)
    for name in ("methods", "differences"):
        by_name(by_name(by_name(by_name(number))))(value.get(name) or {}, f"{where}.{name}")


TIMES: dict[str, Check] = {
    "seconds": by_name(number), "methods": by_name(by_name(by_name(maybe(number)))),
    "cumulative": by_name(many(many(number, 2))), "break_even": by_name(maybe(count)),
    "sharers": by_name(maybe(number)),
}  # fmt: skip
SHAPES: dict[str, Check] = {
    "methods": by_name(by_name(by_name(score))),
    "intervals": by_name(by_name(by_name(many(number, 2)))),
    "differences": by_name(by_name(by_name(with_fields(mean=number, low=number, high=number)))),
    "attributes": by_name(by_name(by_name(by_name(number)))),
    "same_users": by_name(by_name(score)),
    "harmed": by_name(by_name(score)),
    "drift": by_name(number),
    "timing": timing,
    "judge": judgements,
    "users": by_name(count),
    "needs": by_name(by_name(flag)),
    "failures": by_name(by_name(with_fields(rows=count, failed=count, reasons=by_name(count)))),
    "gradient_norms": by_name(layers),
    "curves": by_name(many(with_fields(seconds=number, loss=number))),
    "targets": many(with_fields(what=anything, wanted=anything, got=anything, met=flag)),
}


def check_fields(raw: Mapping[str, Any], where: str) -> None:
    """Raises ValueError with the place of the first value that is not of its field's shape; what is empty passes."""
    for name, shape in SHAPES.items():
        if raw.get(name):
            shape(raw[name], f"{where}: {name}")
