"""LongLaMP's rows, a question each with its user's history, into users with their queries.

Parquet files as on the Hugging Face hub (`LongLaMP/LongLaMP`; several are the shards of one), JSON lines, or one JSON
array; the latter two plain or .gz. Knows nothing of prompts. Source: LongLaMP (Kumar et al., 2024); docs/data.md says
which columns are confirmed. Rows are read one by one, and twice where users are streamed.

Decisions
- A column that is null is as one that is absent: shards of parquet have the columns of all rows.
- The gold is `output` (the hub) or, of reviews, `reviewText` (copies that have no `output`).
- `Example.input` is the official input string, verbatim. The history: abstract: title -> abstract; topic:
  summary -> content; review: (rating, product, summary) -> review, the three put together as the official
  input string puts them. The summaries of a topic question in the hub's words (`REDDIT`) are in these words, too.
- A question's id is `{user}/{n}`, the user's n-th question from 0 (a paper's id is shared by its authors).
- `date` or `year` (a number, or its digits), where there, become the time of their first second, a question's of its
  last.
- The gender, age and industry that the topic rows have are not made a profile: they are sensitive, and the
  benchmark does not have them.
- A history item with a problem is left out, the question stays. Other columns are ignored: they repeat the
  input.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

from . import parquet
from .arrays import elements, opens_array
from .fields import by_end, first_second, ident, label, last_second, moment, required, table, text
from .gather import Question, Read, gather, in_turn
from .history import interaction, read_history
from .lines import objects
from .problems import Faults, FieldError, OnError, Place, Report
from .records import Dataset, Example, Interaction, User

Row = Mapping[str, object]
Paths = str | Path | Sequence[str | Path]


class Columns(NamedTuple):
    """A task's columns: the user, the gold (the first that is there), the output of a history item, how its input is
    said, and words that its input opens with where the question does."""

    user: str
    gold: tuple[str, ...]
    item_output: str
    say: Callable[[Row, str], str]
    opening: str = ""


REDDIT = "Generate the content for a reddit post "


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
    "longlamp_abstract": Columns("name", ("output",), "abstract", _field("title")),
    "longlamp_topic": Columns("author", ("output",), "content", _field("summary"), REDDIT),
    "longlamp_review": Columns("reviewerId", ("output", "reviewText"), "reviewText", review_input),
}

KNOWN = {"input", "profile", "date", "year", *(name for one in COLUMNS.values() for name in (one.user, *one.gold))}
"""All columns that are read."""


def told(names: Collection[str]) -> str | None:
    """The task all of whose columns are among the names; None where no task's are."""
    for task, columns in COLUMNS.items():
        if {columns.user, "input", "profile"} <= set(names) and set(columns.gold) & set(names):
            return task
    return None


def read_longlamp(paths: Paths, task: str, on_error: OnError = "stop", report: Report | None = None) -> Dataset:
    """Users and queries of a LongLaMP file, or of its shards; `task` is a key of COLUMNS. Raises DataError as
    `problems.py` says.
    """
    faults = Faults(on_error, report)
    return gather(_reading(paths, task)(faults), faults)


def stream_longlamp(
    paths: Paths, task: str, on_error: OnError = "stop", report: Report | None = None
) -> Iterator[tuple[User, tuple[Example, ...]]]:
    """As `read_longlamp`, one user in memory at a time; raises while it is read."""
    return in_turn(_reading(paths, task), Faults(on_error, report))


def rows(paths: Sequence[Path], faults: Faults) -> Iterator[tuple[Place, Row]]:
    """The rows of parquet files, of JSON lines or, in .json, of an array; one that is no object is a problem."""
    if paths[0].suffix == ".parquet":
        yield from parquet.rows(paths, KNOWN, faults)
        return
    for path in paths:
        array = path.name.endswith((".json", ".json.gz")) and opens_array(path)
        yield from _array(path, faults) if array else objects(path, faults)


def _array(path: Path, faults: Faults) -> Iterator[tuple[Place, Row]]:
    for number, found in enumerate(elements(path), start=1):
        place = Place(str(path), number, "item")
        try:
            row = table(found, "")
        except FieldError as error:
            faults.add(place, error.field, error.reason)
        else:
            yield place, row


def _reading(paths: Paths, task: str) -> Read:
    """Reads the questions as often as it is called."""
    if task not in COLUMNS:
        raise ValueError(f"no LongLaMP task {task!r}; there are {', '.join(COLUMNS)}")
    files = [Path(paths)] if isinstance(paths, str | Path) else [Path(path) for path in paths]
    return lambda faults: _questions(files, task, faults)


def _questions(paths: Sequence[Path], task: str, faults: Faults) -> Iterator[Question]:
    asked: Counter[str] = Counter()
    for place, line in rows(paths, faults):
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
    column = next((name for name in columns.gold if line.get(name) is not None), columns.gold[-1])
    gold = text(required(line, column, column), column)
    time = by_end(line["date"], "date") if line.get("date") is not None else last_second(line.get("year"), "year")
    opening = columns.opening if said.startswith(columns.opening) else ""
    profile = required(line, "profile", "profile")
    history = read_history(profile, "profile", partial(_item, task, opening), faults.at(place), faults.report.note)
    return Question(place, User(name, history), Example(f"{name}/{asked[name]}", name, task, said, gold, time))


def _item(task: str, opening: str, item: object, field: str) -> Interaction:
    columns, record = COLUMNS[task], table(item, field)
    gold = f"{field}.{columns.item_output}"
    given = text(required(record, columns.item_output, gold), gold)
    said = columns.say(record, f"{field}.")
    return interaction(opening + said if said else "", given, _time(record, f"{field}."), task, gold)


def _time(row: Row, field: str) -> float | None:
    if row.get("date") is not None:
        return moment(row["date"], f"{field}date")
    return first_second(row.get("year"), f"{field}year")
