"""Questions that each carry a copy of the user's history, put together into users with their queries.

Knows nothing of any file's layout: the readers of LaMP, LongLaMP and the like hand it questions. `gather` holds all;
`in_turn` holds one user and reads the questions twice: what it has to remember of the first time is on disk.

Decisions
- Several questions of one user id have to carry the same history and profile text: a longer history at a
  later question would hold earlier answers, so a differing one is a problem of that question, and the first
  stands.
- A question id occurs once; a question before the end of the history that it carries is a problem
  (`history.py`).
- Where the data names no users, the history does: `id_of` is a digest of all of it, so that questions with one
  history are one user's, in whatever file. Items' own ids are no part of it: copies number them anew for each
  question.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from .history import check_after
from .problems import Faults, FieldError, Place
from .records import Dataset, Example, Interaction, User
from .seen import Seen, scratch

BY_HISTORY = "history:"
"""How the ids begin of users whom only their history names."""


class Question(NamedTuple):
    """A query with its user's history as that question has it."""

    place: Place
    user: User
    example: Example


Read = Callable[[Faults], Iterator[Question]]
"""Reads the questions from the beginning, each time that it is called."""


def id_of(history: Sequence[Interaction]) -> str | None:
    """The id of the user who has this history; None for an empty one, which is nobody's in particular."""
    return BY_HISTORY + digest(User("", tuple(history))).hex()[:24] if history else None


def digest(user: User) -> bytes:
    """32 bytes that differ where the history or the profile text does."""
    items = [(item.input, item.output, item.time, item.task) for item in user.history]
    return hashlib.blake2b(json.dumps([user.profile, items]).encode(), digest_size=32).digest()


def gather(questions: Iterable[Question], faults: Faults) -> Dataset:
    """Users by id in the order of their first question, queries in the order of the file."""
    users: dict[str, User] = {}
    examples: dict[str, Example] = {}
    for place, user, example in questions:
        try:
            if example.id in examples:
                raise _again(example)
            check_after(user.history, example.time, "date")
            if users.get(user.id, user) != user:
                raise _another(user)
        except FieldError as error:
            faults.add(place, error.field, error.reason)
        else:
            users.setdefault(user.id, user)
            examples[example.id] = example
    return Dataset(users, tuple(examples.values()))


def in_turn(read: Read, faults: Faults) -> Iterator[tuple[User, tuple[Example, ...]]]:
    """The same users with the same queries and problems, one user in memory at a time."""
    notes = _Notes()
    try:
        for number, question in enumerate(read(faults)):
            try:
                notes.check(number, question)
            except FieldError as error:
                faults.add(question.place, error.field, error.reason)
        notes.index()
        for number, question in enumerate(read(Faults("skip"))):
            queries = notes.queries(number)
            if queries:
                yield question.user, queries
    finally:
        notes.close()


def _again(example: Example) -> FieldError:
    return FieldError("id", f"{example.id} already stands earlier in the file")


def _another(user: User) -> FieldError:
    return FieldError("profile", f"not the history of the user's first question (user {user.id})")


class _Notes:
    """On disk: the users' digests, by the number of the first question, and the queries asked of them."""

    def __init__(self) -> None:
        self._ids, self._base = Seen(), scratch()
        self._base.execute("CREATE TABLE user (id TEXT PRIMARY KEY, first INTEGER, digest BLOB) WITHOUT ROWID")
        self._base.execute("CREATE TABLE query (first INTEGER, number INTEGER, said TEXT)")

    def check(self, number: int, question: Question) -> None:
        """Keep a question; FieldError for one that `gather` refuses."""
        _, user, example = question
        row = self._base.execute("SELECT first, digest FROM user WHERE id = ?", (user.id,)).fetchone()
        own = digest(user)
        if self._ids.has(example.id):
            raise _again(example)
        check_after(user.history, example.time, "date")
        if row is not None and row[1] != own:
            raise _another(user)
        if row is None:
            self._base.execute("INSERT INTO user VALUES (?, ?, ?)", (user.id, number, own))
        self._ids.first(example.id, number)
        said = json.dumps((example.id, user.id, example.task, example.input, example.target, example.time))
        self._base.execute("INSERT INTO query VALUES (?, ?, ?)", (row[0] if row else number, number, said))

    def queries(self, first: int) -> tuple[Example, ...]:
        """The queries of the user whose first question has this number; none where it is nobody's first."""
        rows = self._base.execute("SELECT said FROM query WHERE first = ? ORDER BY number", (first,))
        return tuple(Example(*json.loads(said)) for (said,) in rows)

    def index(self) -> None:
        """Everything is kept: from here on it is asked for."""
        self._base.execute("CREATE INDEX turn ON query (first, number)")

    def close(self) -> None:
        """Drop everything."""
        self._ids.close()
        self._base.close()
