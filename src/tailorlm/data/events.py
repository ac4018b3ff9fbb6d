"""The event-a-line form of our JSONL, grouped into users without holding the file.

    {"user_id", "input", "output", "time?", "task?"}

Knows nothing of queries: this form has none. The file is read once for its ids; where each user's lines stand
together it is then streamed, else its lines are grouped in a temporary SQLite file (`seen.py`), which holds
users' text for as long as the reading takes.

Decisions
- Users come in the order of their first line, a user's events in the order of the file, then of time
  (`history.py`).
- A user has at most `MAX_ITEMS` events: a history is held whole. Each event beyond is a problem.
- Identical events are kept: a user may do the same thing twice.
- A user all of whose events have problems is no user.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

from .fields import MAX_ITEMS, ident, required
from .history import chronological
from .lines import objects
from .problems import Faults, FieldError, Place
from .records import Interaction, User
from .seen import Seen, scratch
from .userline import ITEM_KEYS, note_others, read_item

EVENT_KEYS = ITEM_KEYS | {"user_id"}


class Event(NamedTuple):
    """One line: whose it is, where it stands, what it says."""

    user_id: str
    place: Place
    item: Interaction


def read_events(path: Path, faults: Faults) -> Iterator[User]:
    """Users with their histories, one user in memory at a time."""
    events = _events(path, faults)
    if not _together(path):
        events = _grouped(events, str(path))
    for user_id, group in groupby(events, lambda event: event.user_id):
        user = _user(user_id, group, faults)
        if user is not None:
            yield user


def is_event(line: Mapping[str, object]) -> bool:
    """Whether a line is an event that can be read."""
    try:
        _event(line, Place("", 0))
    except FieldError:
        return False
    return True


def _event(line: Mapping[str, object], place: Place) -> Event:
    if "history" in line:
        raise FieldError("history", "a line with a whole user in a file of events")
    return Event(ident(required(line, "user_id", "user_id"), "user_id"), place, read_item(line, ""))


def _events(path: Path, faults: Faults) -> Iterator[Event]:
    for place, line in objects(path, faults):
        try:
            event = _event(line, place)
        except FieldError as error:
            faults.add(place, error.field, error.reason)
        else:
            note_others(line, EVENT_KEYS, "", faults.report.note)
            yield event


def _together(path: Path) -> bool:
    """Whether no user's lines are parted by another's; problems are for the second reading to report."""
    seen, last = Seen(), None
    try:
        for place, line in objects(path, Faults("skip")):
            name = line.get("user_id")
            if not isinstance(name, str) or name == last or not name.isprintable():
                continue
            if seen.first(name, place.line) is not None:
                return False
            last = name
        return True
    finally:
        seen.close()


def _grouped(events: Iterable[Event], file: str) -> Iterator[Event]:
    base = scratch()
    try:
        base.execute("CREATE TABLE user (id TEXT PRIMARY KEY, first INTEGER) WITHOUT ROWID")
        base.execute("CREATE TABLE event (first INTEGER, line INTEGER, user_id TEXT, item TEXT)")
        for user_id, place, item in events:
            base.execute("INSERT OR IGNORE INTO user VALUES (?, ?)", (user_id, place.line))
            stored = json.dumps((item.input, item.output, item.time, item.task))
            row = (place.line, user_id, stored, user_id)
            base.execute("INSERT INTO event SELECT first, ?, ?, ? FROM user WHERE id = ?", row)
        rows = base.execute("SELECT line, user_id, item FROM event ORDER BY first, line")
        for line, user_id, stored in rows:
            yield Event(user_id, Place(file, line), Interaction(*json.loads(stored)))
    finally:
        base.close()


def _user(user_id: str, events: Iterable[Event], faults: Faults) -> User | None:
    history: list[Interaction] = []
    place = Place("", 0)
    for _, place, item in events:
        if len(history) < MAX_ITEMS:
            history.append(item)
        else:
            faults.add(place, "user_id", f"the user has more than {MAX_ITEMS} events")
    try:
        ordered = chronological(history, "time")
    except FieldError as error:
        faults.add(place, error.field, error.reason)
        return None
    if ordered != tuple(history):
        faults.report.note("history put in order of time")
    return User(user_id, ordered)
