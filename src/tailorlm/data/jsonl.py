"""Our own JSONL: users streamed from a file and written to one.

A file holds a user a line (`userline.py`) or an event a line (`events.py`); plain or .gz. Memory is bounded
by the longest line, or the longest history, whatever the number of lines. Bytes, encodings and JSON are
decided in `lines.py`, values in `fields.py`, order in `history.py`, stop and skip in `problems.py`;
docs/data.md has the table of all.

Decisions
- The first line that can be read says which form the file has; a line of the other form is a problem.
- A `user_id` that an earlier line of the user-a-line form has is a problem, and so is a query's id, whoever's
  it is; the first stands.
"""

import json
import os
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TextIO

from .events import is_event, read_events
from .fields import table
from .lines import MAX_LINE, objects, parse
from .problems import Faults, FieldError, OnError, Place, Report
from .records import Example, User
from .seen import Seen
from .userline import read_user, write_user


def read_users(
    path: str | Path, on_error: OnError = "stop", report: Report | None = None
) -> Iterator[tuple[User, tuple[Example, ...]]]:
    """Users, each with the queries asked of them, in the order of the file, one in memory at a time.

    `report` is filled while reading. Raises ValueError at once for an unknown `on_error`, and DataError while
    reading: at the first problem (`stop`), or where the file cannot be opened (`stop` and `skip`).
    """
    return _read(Path(path), Faults(on_error, report))


def has_events(path: Path) -> bool:
    """Whether the file is of the event-a-line form: its first line that can be read is an event."""
    for _, line in objects(path, Faults("skip")):
        if is_event(line):
            return True
        try:
            read_user(line, _ignore, _ignore)
        except FieldError:
            continue
        return False
    return False


def write_users(path: str | Path, pairs: Iterable[tuple[User, Sequence[Example]]]) -> int:
    """Write users with their queries, a user a line; gives their number. The file appears whole or not at
    all.

    Its mode is 0600, since it holds users' text. Raises ValueError with the user's id where the line would
    not read back as the same records (a NUL, a lone surrogate, a history out of order, a query of another
    user, a second user of the same id).
    """
    path = Path(path)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as out:
            count = _write(out, pairs)
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    return count


def _read(path: Path, faults: Faults) -> Iterator[tuple[User, tuple[Example, ...]]]:
    if has_events(path):
        for user in read_events(path, faults):
            yield user, ()
        return
    users, queries = Seen(), Seen()
    try:
        for place, line in objects(path, faults):
            try:
                user, asked = read_user(line, faults.at(place), faults.report.note)
                _new(users, user.id, place, "user_id")
            except FieldError as error:
                faults.add(place, error.field, error.reason)
            else:
                yield user, tuple(query for query in asked if _first(queries, query.id, place, faults))
    finally:
        users.close()
        queries.close()


def _new(seen: Seen, id: str, place: Place, field: str) -> None:
    """FieldError where the id has occurred."""
    line = seen.first(id, place.line)
    if line is not None:
        raise FieldError(field, f"{id} already stands at line {line}")


def _first(queries: Seen, id: str, place: Place, faults: Faults) -> bool:
    try:
        _new(queries, id, place, "queries[].id")
    except FieldError as error:
        faults.add(place, error.field, error.reason)
        return False
    return True


def _write(out: TextIO, pairs: Iterable[tuple[User, Sequence[Example]]]) -> int:
    users, queries, count = Seen(), Seen(), 0
    try:
        for count, (user, asked) in enumerate(pairs, start=1):
            out.write(_line(user, tuple(asked)) + "\n")
            for seen, id in [(users, user.id), *((queries, query.id) for query in asked)]:
                if seen.first(id, count) is not None:
                    raise ValueError(f"two users or two queries have the id {id}: the file could not be read back")
    finally:
        users.close()
        queries.close()
    return count


def _line(user: User, asked: tuple[Example, ...]) -> str:
    """The line of a user; ValueError where it does not read back as the same records."""
    reason = "a history out of order, a time that is no number, or a query of another user"
    try:
        line = json.dumps(write_user(user, asked), ensure_ascii=False)
        if len(line.encode("utf-8", "replace")) >= MAX_LINE:
            raise FieldError("", f"longer than {MAX_LINE} bytes, the limit of a line")
        if read_user(table(parse(line), ""), _stop, _ignore) == (user, asked):
            return line
    except FieldError as error:
        reason = f"{error.field} {error.reason}".strip()
    raise ValueError(f"user {user.id!a} cannot be written so that it reads back the same: {reason}")


def _stop(field: str, reason: str) -> None:
    raise FieldError(field, reason)


def _ignore(*said: str) -> None:
    pass
