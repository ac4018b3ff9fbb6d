"""LongLaMP's rows as JSONL, a question a line with its user's history, into a Dataset.

Knows nothing of prompts. Source: LongLaMP (Kumar et al., 2024), whose parquet columns these are. Lines are
read one by one; the Dataset is held whole.

Decisions
- `Example.input` is the official input string, verbatim. The history: abstract: title -> abstract; topic:
  summary -> content; review: (rating, product, summary) -> review, the three put together as the official
  input string puts them.
- A question's id is `{user}/{n}`, the user's n-th question from 0 (a paper's id is shared by its authors).
- `date` or `year`, where there, become the time of their first second, a question's of its last.
- The gender, age and industry that the topic rows have are not made a profile: they are sensitive, and the
  benchmark does not have them.
- A history item with a problem is left out, the question stays. Other columns are ignored: they repeat the
  input.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import NamedTuple

from .fields import by_end, first_second, ident, label, last_second, moment, required, table, text
from .gather import Question, gather
from .history import interaction, read_history
from .lines import objects
from .problems import Faults, FieldError, OnError, Place, Report
from .records import Dataset, Example, Interaction, User

Row = Mapping[str, object]


class Columns(NamedTuple):
    """A task's columns: the user, the gold, the output of a history item, and how its input is said."""

    user: str
    gold: str
    item_output: str
    say: Callable[[Row, str], str]


def _field(name: str) -> Callable[[Row, str], str]:
    return lambda item, field: label(required(item, name, field + name), field + name)


def review_input(item: Row, field: str) -> str:
    """The official input string of a product review, from its parts."""
    rating, product, summary = (_field(name)(item, field) for name in ("overall", "description", "summary"))
    return (
        f'Generate the review text written by a reviewer who has given an overall rating of "{rating}" '
        f'for a product with description "{product}". The summary of the review text is "{summary}".'
    )


COLUMNS: Mapping[str, Columns] = {
    "longlamp_abstract": Columns("name", "output", "abstract", _field("title")),
    "longlamp_topic": Columns("author", "output", "content", _field("summary")),
    "longlamp_review": Columns("reviewerId", "reviewText", "reviewText", review_input),
}


def told(line: Row) -> str | None:
    """The task all of whose columns a row has; None where it has no task's."""
    for task, columns in COLUMNS.items():
        if line.keys() >= {columns.user, columns.gold, "input", "profile"}:
            return task
    return None


def read_longlamp(
    path: str | Path, task: str, on_error: OnError = "stop", report: Report | None = None
) -> Dataset:
    """Users and queries of a LongLaMP file; `task` is a key of COLUMNS. Raises DataError as `problems.py`
    says.
    """
    if task not in COLUMNS:
        raise ValueError(f"no LongLaMP task {task!r}; there are {', '.join(COLUMNS)}")
    faults = Faults(on_error, report)
    return gather(_questions(Path(path), task, faults), faults)


def _questions(path: Path, task: str, faults: Faults) -> Iterator[Question]:
    asked: Counter[str] = Counter()
    for place, line in objects(path, faults):
        try:
            question = _question(line, place, task, asked, faults)
        except FieldError as error:
            faults.add(place, error.field, error.reason)
        else:
            asked[question.user.id] += 1
            yield question


def _question(line: Row, place: Place, task: str, asked: Counter[str], faults: Faults) -> Question:
    columns = COLUMNS[task]
    name = ident(label(required(line, columns.user, columns.user), columns.user), columns.user)
    said = text(required(line, "input", "input"), "input")
    gold = text(required(line, columns.gold, columns.gold), columns.gold)
    time = (
        by_end(line["date"], "date")
        if line.get("date") is not None
        else last_second(line.get("year"), "year")
    )
    profile = required(line, "profile", "profile")
    history = read_history(profile, "profile", partial(_item, task), faults.at(place), faults.report.note)
    return Question(
        place, User(name, history), Example(f"{name}/{asked[name]}", name, task, said, gold, time)
    )


def _item(task: str, item: object, field: str) -> Interaction:
    columns, record = COLUMNS[task], table(item, field)
    gold = f"{field}.{columns.item_output}"
    given = text(required(record, columns.item_output, gold), gold)
    return interaction(columns.say(record, f"{field}."), given, _time(record, f"{field}."), task, gold)


def _time(row: Row, field: str) -> float | None:
    if row.get("date") is not None:
        return moment(row["date"], f"{field}date")
    return first_second(row.get("year"), f"{field}year")
