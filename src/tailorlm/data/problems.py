"""What is wrong with a file: one problem, the error that stops at it, the report that counts it.

Knows nothing of any file's layout. Source: design section 5 (bad input never loses good input).

Decisions
- `on_error="stop"` raises `DataError` at the first problem; `"skip"` leaves out the smallest thing that
  is wrong (an item of a history, a query, or the whole line where its user id is) and counts it.
- A file that cannot be read at all (missing, not a file, damaged JSON document) raises under both.
- No users' text in a problem: only files, line numbers, names of known fields, and ids.
"""

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

OnError = Literal["stop", "skip"]
KEPT = 20
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_.\[\] -]{0,79}")
_INDEX = re.compile(r"\[\d+\]")


class FieldError(Exception):
    """A field that breaks a rule, before its place is known; never leaves this package."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(field, reason)
        self.field, self.reason = field, reason


@dataclass(frozen=True, slots=True)
class Place:
    """Where a record stands: the line of a JSONL or TSV file, the item of a JSON array (from 1)."""

    file: str
    line: int
    unit: str = "line"


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong, and where; `line` is 0 and `field` empty where it is the whole file or line."""

    file: str
    line: int
    field: str
    reason: str
    unit: str = "line"

    def __str__(self) -> str:
        line = f", {self.unit} {self.line}" if self.line else ""
        field = f", field {self.field}" if self.field else ""
        return f"{self.file}{line}{field}: {self.reason}"


class DataError(ValueError):
    """A file that breaks a rule; `.problem` has the file, the line, the field and the reason."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem)
        self.problem = problem

    def __str__(self) -> str:
        return str(self.problem)


@dataclass
class Report:
    """Counts of what was left out and of what was decided on the way; its size does not grow with the data.

    `problems` has the first `KEPT`; `fields` counts all by field (indexes taken out); `notes` counts what
    was changed or ignored without being wrong (keys that are not ours, histories put in order of time).
    """

    count: int = 0
    problems: list[Problem] = field(default_factory=list)
    fields: Counter[str] = field(default_factory=Counter)
    notes: Counter[str] = field(default_factory=Counter)

    def add(self, problem: Problem) -> None:
        """Count a problem; keep it if it is among the first."""
        self.count += 1
        self.fields[_INDEX.sub("[]", problem.field) or f"({problem.unit})"] += 1
        if len(self.problems) < KEPT:
            self.problems.append(problem)

    def note(self, what: str) -> None:
        """Count something that is not wrong; the 100 first kinds by name, names that look like text never."""
        plain = _PLAIN.fullmatch(what) is not None and (what in self.notes or len(self.notes) < 100)
        self.notes[what if plain else "other"] += 1


class Faults:
    """What to do with a problem: stop at it, or count it and go on.

    Raises ValueError for an `on_error` that is neither "stop" nor "skip".
    """

    def __init__(self, on_error: str, report: Report | None = None) -> None:
        if on_error not in ("stop", "skip"):
            raise ValueError(f'on_error is {on_error!r}; it is "stop" or "skip"')
        self.stop = on_error == "stop"
        self.report = Report() if report is None else report

    def add(self, place: Place, field: str, reason: str) -> None:
        """Count the problem; raise DataError when the first one stops."""
        problem = Problem(place.file, place.line, field, reason, place.unit)
        self.report.add(problem)
        if self.stop:
            raise DataError(problem) from None

    def at(self, place: Place) -> Callable[[str, str], None]:
        """`add` for one place: takes the field and the reason."""
        return lambda field, reason: self.add(place, field, reason)
