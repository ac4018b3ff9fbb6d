"""Checks of one JSON value each: a text, an id, a time, a list, an object.

Knows nothing of files and lines; a value that breaks a rule raises FieldError with the field's name.

Decisions
- Text: at most `MAX_TEXT` characters; no NUL (databases and C strings end there); no lone surrogate (no
  encoding can write it). Empty text is text. A number, true, a list is never turned into text.
- Id (user, query, task): a text of 1 to `MAX_ID` characters that all print, so that it can stand in a
  message without line breaks, escapes or invisible characters. Compared as it stands: no case folding.
- Time: seconds since 1970 UTC as a number, `YYYY-MM-DD` (its first second, UTC; for a query its last, so that
  what was done on the same day is before it), or ISO 8601 with an offset;
  between the years 1 and 9999, which also refuses NaN, Infinity and milliseconds. A local time without an
  offset is refused: guessing a zone would reorder events. null is the same as absent.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime

from .problems import FieldError

MAX_TEXT = 1_000_000
MAX_ID = 256
MAX_ITEMS = 100_000
DAY = 86_400.0
EARLIEST, LATEST = -62_135_596_800.0, 253_402_300_799.0
_SURROGATE = re.compile("[\ud800-\udfff]")
_YEAR = re.compile(r"\d{4}", re.ASCII)
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_KINDS = {str: "text", bool: "true or false", int: "a number", float: "a number", list: "a list",
          dict: "an object", type(None): "null"}  # fmt: skip


def expect(value: object, kind: str, field: str) -> FieldError:
    """The error of a wrong type; names the JSON type found, never the value."""
    return FieldError(field, f"expected {kind}, found {_KINDS.get(type(value), 'something else')}")


def text(value: object, field: str) -> str:
    """A text of at most MAX_TEXT characters without NUL or lone surrogates."""
    if not isinstance(value, str):
        raise expect(value, "text", field)
    if len(value) > MAX_TEXT:
        raise FieldError(field, f"{len(value)} characters; at most {MAX_TEXT} are read")
    if "\0" in value:
        raise FieldError(field, "has a NUL character")
    if not value.isascii() and _SURROGATE.search(value):
        raise FieldError(field, "has a lone surrogate, which is no character")
    return value


def optional(value: object, field: str) -> str | None:
    """A text, or None for null and absent."""
    return None if value is None else text(value, field)


def ident(value: object, field: str) -> str:
    """An id: 1 to MAX_ID characters that all print."""
    value = text(value, field)
    if not 0 < len(value) <= MAX_ID:
        raise FieldError(field, f"an id has 1 to {MAX_ID} characters; this one has {len(value)}")
    if not value.isprintable():
        raise FieldError(field, "an id has characters that print; this one has others")
    return value


def label(value: object, field: str) -> str:
    """A text, or a number in digits: repackaged copies of LaMP hold ids and scores as numbers."""
    if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e15:
        return f"{value:.15g}"
    return text(value, field)


def moment(value: object, field: str) -> float | None:
    """Seconds since 1970 UTC, or None for null and absent."""
    if value is None:
        return None
    if isinstance(value, str):
        value = _written(value, field)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise expect(value, "seconds since 1970 or an ISO 8601 text", field)
    if not EARLIEST <= value <= LATEST:
        raise FieldError(field, "not seconds since 1970 within the years 1 to 9999")
    return float(value)


def by_end(value: object, field: str) -> float | None:
    """A query's time: as `moment`, but a day stands for its last second, after all that day's items."""
    found = moment(value, field)
    if found is not None and isinstance(value, str) and _DAY.fullmatch(value):
        return found + DAY - 1
    return found


def first_second(year: object, field: str) -> float | None:
    """Seconds since 1970 of the first second of a year, given as a number; None for null and absent."""
    return None if year is None else datetime(_year(year, field), 1, 1, tzinfo=UTC).timestamp()


def last_second(year: object, field: str) -> float | None:
    """Seconds since 1970 of the last second of a year, given as a number; None for null and absent."""
    return None if year is None else datetime(_year(year, field), 12, 31, 23, 59, 59, tzinfo=UTC).timestamp()


def _year(year: object, field: str) -> int:
    if isinstance(year, str) and _YEAR.fullmatch(year):
        year = int(year)
    if isinstance(year, float) and year.is_integer():  # a column with gaps, as pandas writes it
        year = int(year)
    if not isinstance(year, int) or isinstance(year, bool):
        raise expect(year, "a year", field)
    if not 1 <= year <= 9999:
        raise FieldError(field, "a year is 1 to 9999")
    return year


def items(value: object, field: str) -> list[object]:
    """A list of at most MAX_ITEMS."""
    if not isinstance(value, list):
        raise expect(value, "a list", field)
    if len(value) > MAX_ITEMS:
        raise FieldError(field, f"{len(value)} items; at most {MAX_ITEMS} are read")
    return value


class Repeated(dict[str, object]):
    """A JSON object in which a key stands twice: nobody can say which value is meant."""


def table(value: object, field: str) -> dict[str, object]:
    """A JSON object with every key once."""
    if isinstance(value, Repeated):
        raise FieldError(field, "a key stands twice in the object")
    if not isinstance(value, dict):
        raise expect(value, "an object", field)
    return value


def required(record: Mapping[str, object], key: str, field: str) -> object:
    """The value of a key that has to be there."""
    if key not in record:
        raise FieldError(field, "missing")
    return record[key]


def _written(value: str, field: str) -> float:
    """Seconds since 1970 of a day's first second (UTC) or of an instant with an offset."""
    found = None
    try:
        if _DAY.fullmatch(value):
            found = datetime.fromisoformat(value).replace(tzinfo=UTC)
        elif len(value) <= 64:
            found = datetime.fromisoformat(value)
    except ValueError:
        pass
    if found is None or found.tzinfo is None:
        raise FieldError(field, "not YYYY-MM-DD, ISO 8601 with an offset, or seconds since 1970")
    return found.timestamp()
