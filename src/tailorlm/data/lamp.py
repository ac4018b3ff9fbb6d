"""LaMP's question and output files, the official layout, plain or .gz, into users with their queries.

    X_questions.json: [{"id", "input", "profile": [{...}], "user_id?", "date?"}]
    X_outputs.json:   {"task", "golds": [{"id", "output"}]}

Knows nothing of prompts. Source: LaMP (Salemi et al., 2024); fields as in docs/data.md. Questions are read one by
one, and twice where users are streamed; the outputs are read WHOLE, at most `MAX_FILE` bytes after decompression.

Decisions
- `Example.input` is the official input string, verbatim. The history is (input -> output) of `FORMS`: the
  bare texts. LaMP-1: abstract -> title (most papers here have no abstract: an empty input). 2N: title and text, named
  (`titled.py`), -> category; copies without titles are read. LaMP-7: a tweet has no input: empty -> text.
- The task is told by how the inputs open (all eight differ), or given.
- `user_id` absent, as in the official files: the history names the user (`gather.py`). Questions with the same
  history are one user's; one with an empty history is a user of its own, named by its id. In the files split by time
  a person's later question carries a longer history, and is another user's here.
- Ids, scores and labels may be numbers: repackaged copies have them so. Items' own ids are not kept.
- `date` (YYYY-MM-DD) becomes the time of its first second, a question's of its last (they are often of
  the same day); without dates the file's order is the order (the official files do not promise that it is
  chronological).
- An item with a problem leaves the history, the question stays. A question without a gold, a gold without a
  question, and a second gold of an id are problems that name the id. Without any outputs file the questions
  are live queries.
- A document that is not JSON at all raises DataError whatever `on_error` is.
"""

import zlib
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import NamedTuple

from .arrays import elements
from .fields import by_end, ident, label, moment, required, table, text
from .gather import Question, Read, gather, id_of, in_turn
from .history import interaction, read_history
from .lines import decode, open_bytes, parse
from .problems import DataError, Faults, FieldError, OnError, Place, Problem, Report
from .records import Dataset, Example, Interaction, User
from .titled import titled

MAX_FILE = 4 * 2**30


class Form(NamedTuple):
    """How a task's input opens, and which fields of a profile item are the interaction's input, its output, and
    the title that the input has besides."""

    opening: str
    input: str | None
    output: str
    title: str | None = None


FORMS: Mapping[str, Form] = {
    "lamp_1": Form("For an author who has written the paper with the title", "abstract", "title"),
    "lamp_2m": Form("Which tag does this movie relate to among the following tags?", "description", "tag"),
    "lamp_2n": Form("Which category does this article relate to among the following", "text", "category", "title"),
    "lamp_3": Form("What is the score of the following review on a scale of 1 to 5?", "text", "score"),
    "lamp_4": Form("Generate a headline for the following article", "text", "title"),
    "lamp_5": Form("Generate a title for the following abstract of a paper", "abstract", "title"),
    "lamp_6": Form("Generate a subject for the following email", "text", "title"),
    "lamp_7": Form("Paraphrase the following tweet without any explanation", None, "text"),
}


def read_lamp(
    questions: str | Path,
    outputs: str | Path | None = None,
    task: str | None = None,
    on_error: OnError = "stop",
    report: Report | None = None,
) -> Dataset:
    """Users and queries of a LaMP file; `task` is a key of FORMS, told from the inputs when None.

    Raises DataError at the first problem (`stop`), or where a document cannot be read or the task not be
    told.
    """
    faults = Faults(on_error, report)
    return gather(_reading(Path(questions), outputs, task)(faults), faults)


def stream_lamp(
    questions: str | Path,
    outputs: str | Path | None = None,
    task: str | None = None,
    on_error: OnError = "stop",
    report: Report | None = None,
) -> Iterator[tuple[User, tuple[Example, ...]]]:
    """As `read_lamp`, one user in memory at a time; raises while it is read."""
    return in_turn(_reading(Path(questions), outputs, task), Faults(on_error, report))


def _reading(path: Path, outputs: str | Path | None, task: str | None) -> Read:
    """Reads the questions of a file, with their golds, as often as it is called."""
    if task is not None and task not in FORMS:
        raise ValueError(f"no LaMP task {task!r}; there are {', '.join(FORMS)}")

    def read(faults: Faults) -> Iterator[Question]:
        of = task or _told(path)
        golds = None if outputs is None else _golds(Path(outputs), of, faults)
        yield from _questions(path, of, golds, faults)
        for place, id in () if golds is None else golds.left():
            faults.add(place, "id", f"the gold {id} has no question")

    return read


def document(path: Path) -> object:
    """A whole JSON file of at most MAX_FILE bytes; DataError where it is none."""
    reason = "damaged: the file ends or breaks before its end"
    try:
        with open_bytes(path) as handle:
            content = handle.read(MAX_FILE + 1)
        if len(content) > MAX_FILE:
            raise FieldError("", f"more than {MAX_FILE} bytes, the limit of a JSON document")
        found = parse(decode(content.removeprefix(b"\xef\xbb\xbf")))
        return table(found, "") if isinstance(found, dict) else found
    except FieldError as error:
        reason = error.reason
    except (OSError, EOFError, zlib.error):
        pass
    raise DataError(Problem(str(path), 0, "", reason))


def _array(found: object, path: Path, field: str) -> list[object]:
    if isinstance(found, list):
        return found
    raise DataError(Problem(str(path), 0, field, "expected a JSON array of objects"))


def _told(path: Path) -> str:
    """The task whose opening the first telling input has."""
    row: object = None
    for row in elements(path):
        said = row.get("input") if isinstance(row, dict) else None
        for task, form in FORMS.items():
            if isinstance(said, str) and said.startswith(form.opening):
                return task
    if row is None:
        raise DataError(Problem(str(path), 0, "", "an empty array: there is no question in it"))
    raise DataError(Problem(str(path), 0, "input", f"no input opens as one of {', '.join(FORMS)} does"))


class Golds(NamedTuple):
    """The gold outputs by question id, and the ids that a question has asked for."""

    outputs: dict[str, tuple[Place, str]]
    used: set[str]

    def take(self, id: str) -> str:
        """The output of a question; FieldError where there is none."""
        self.used.add(id)
        if id not in self.outputs:
            raise FieldError("id", f"no gold for {id} in the outputs file")
        return self.outputs[id][1]

    def left(self) -> list[tuple[Place, str]]:
        """The golds that no question asked for."""
        return [(place, id) for id, (place, _) in self.outputs.items() if id not in self.used]


def _golds(path: Path, task: str, faults: Faults) -> Golds:
    found = document(path)
    outputs: dict[str, tuple[Place, str]] = {}
    table_of = found if isinstance(found, dict) else {}
    _check_task(table_of.get("task"), task, path, faults)
    for i, gold in enumerate(_array(table_of.get("golds"), path, "golds"), start=1):
        place = Place(str(path), i, "item")
        try:
            record = table(gold, "golds")
            id = ident(label(required(record, "id", "id"), "id"), "id")
            if id in outputs:
                raise FieldError("id", f"a second gold for {id}")
            outputs[id] = place, label(required(record, "output", "output"), "output")
        except FieldError as error:
            faults.add(place, error.field, error.reason)
    return Golds(outputs, set())


def _check_task(named: object, task: str, path: Path, faults: Faults) -> None:
    """The official outputs name their task, and LaMP_2 for both 2M and 2N."""
    if isinstance(named, str) and not task.startswith(named.lower()):
        faults.add(Place(str(path), 0), "task", f"not the task of the questions, which is {task}")


def _questions(path: Path, task: str, golds: Golds | None, faults: Faults) -> Iterator[Question]:
    for i, row in enumerate(elements(path), start=1):
        place = Place(str(path), i, "item")
        try:
            question = _question(table(row, ""), place, task, golds, faults)
        except FieldError as error:
            faults.add(place, error.field, error.reason)
        else:
            yield question


def _question(row: dict[str, object], place: Place, task: str, golds: Golds | None, faults: Faults) -> Question:
    id = ident(label(required(row, "id", "id"), "id"), "id")
    gold = None if golds is None else golds.take(id)
    said, time = text(required(row, "input", "input"), "input"), by_end(row.get("date"), "date")
    named = None if row.get("user_id") is None else ident(label(row["user_id"], "user_id"), "user_id")
    profile = required(row, "profile", "profile")
    history = read_history(profile, "profile", partial(_item, task), faults.at(place), faults.report.note)
    name = named or id_of(history) or id
    return Question(place, User(name, history), Example(id, name, task, said, gold, time))


def _item(task: str, item: object, field: str) -> Interaction:
    form, record = FORMS[task], table(item, field)
    said = "" if form.input is None else _text_of(record, form.input, field)
    if form.title is not None and record.get(form.title) is not None:
        said = titled(_text_of(record, form.title, field), said)
    given = _text_of(record, form.output, field)
    return interaction(said, given, moment(record.get("date"), f"{field}.date"), task, f"{field}.{form.output}")


def _text_of(record: Mapping[str, object], key: str, field: str) -> str:
    return label(required(record, key, f"{field}.{key}"), f"{field}.{key}")
