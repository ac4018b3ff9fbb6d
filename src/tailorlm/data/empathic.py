"""The empathic reactions' TSV: five essays a person on news stories, with who they are -> a Dataset.

Knows nothing of prompts. Source: P2P section 4.1; Buechel et al., 2018, in the WASSA 2022 release.

Decisions
- The file has an article's number and not its text: `input` is `article {number}`, `output` is `essay`; the
  user is `response_id`. Which rows are queries: `answers.py`.
- Empathy, distress and emotion are ratings of the answer: no part of the input.
- `User.profile` is demographics, personality and reactivity, one `name: value` a line, upstream codes as they
  are, empty cells left out: a GIVEN profile, with sensitive traits in it.
- Tabs part the cells, double quotes hold them as in CSV, a row is one line; a row with another number of
  cells than the header is a problem. A header without the needed columns raises DataError whatever `on_error`
  is.
"""

import csv
from collections.abc import Iterator, Mapping
from pathlib import Path

from .answers import Answer, split
from .fields import ident, text
from .history import interaction
from .lines import decode, numbered
from .problems import DataError, Faults, FieldError, OnError, Place, Problem, Report
from .records import Dataset

TASK = "empathic"
NEEDED = ("response_id", "article_id", "essay")
DESCRIBING = ("gender", "education", "race", "age", "income", "personality_", "iri_")


def read_empathic(path: str | Path, on_error: OnError = "stop", report: Report | None = None) -> Dataset:
    """Users and queries of an empathic-reactions file; DataError as `problems.py` says."""
    faults = Faults(on_error, report)
    return split(_answers(Path(path), faults), faults)


def _answers(path: Path, faults: Faults) -> Iterator[Answer]:
    header: list[str] = []
    for place, line in numbered(path, faults):
        try:
            row = cells(decode(line))
            answer = _answer(_named(header, row), place) if header else None
        except FieldError as error:
            faults.add(place, error.field, error.reason)
            row, answer = [], None
        if answer:
            yield answer
        elif not header:
            header = _header(row, place)


def cells(line: str) -> list[str]:
    """The cells of one row; FieldError where quotes do not close or a cell is too long."""
    try:
        return next(csv.reader([line], delimiter="\t", strict=True), [])
    except csv.Error:
        pass
    raise FieldError("", "not a row of tab-separated cells: a quote that does not close, or too long a cell")


def _header(row: list[str], place: Place) -> list[str]:
    missing = [name for name in NEEDED if row.count(name) != 1]
    if missing:
        raise DataError(Problem(place.file, place.line, missing[0], f"the header has to have {', '.join(NEEDED)} once"))
    return row


def _named(header: list[str], row: list[str]) -> dict[str, str]:
    if len(row) != len(header):
        raise FieldError("", f"{len(row)} cells where the header has {len(header)}")
    return dict(zip(header, row, strict=True))


def _answer(row: Mapping[str, str], place: Place) -> Answer:
    name = ident(row["response_id"], "response_id")
    article = ident(row["article_id"], "article_id")
    lines = [f"{_words(key)}: {value}" for key, value in row.items() if value and key.startswith(DESCRIBING)]
    item = interaction(f"article {article}", text(row["essay"], "essay"), None, TASK, "essay")
    return Answer(place, name, text("\n".join(lines), "profile"), item)


def _words(column: str) -> str:
    return column.replace("_", " ")
