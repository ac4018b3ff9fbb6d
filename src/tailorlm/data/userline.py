"""One user as a JSON object, read and written: the record of our JSONL form with a user a line.

    {"user_id", "history": [{"input", "output", "time?", "task?"}], "profile?",
     "queries?": [{"id?", "input", "output?", "task?", "time?"}]}

Knows nothing of files; problems go to a callable that takes the field and the reason.

Decisions
- `user_id` and `history` are needed; an empty history is a user (their profile is the neutral one).
- Items and queries with a problem are left out, the user's others stay (`history.py`, also for their order).
- A query without an id is `{user_id}/{n}`, its number in the line from 0. `output` null or absent is a live
  query.
- A query before the end of the history is a problem.
- Keys that are not ours are ignored and counted by name in the report's notes.
"""

from collections.abc import Mapping
from functools import partial

from .fields import by_end, ident, items, moment, optional, required, table, text
from .history import Complain, Note, check_after, interaction, read_history
from .problems import FieldError
from .records import Example, Interaction, User

USER_KEYS = frozenset({"user_id", "history", "profile", "queries"})
ITEM_KEYS = frozenset({"input", "output", "time", "task"})
QUERY_KEYS = ITEM_KEYS | {"id"}


def read_user(line: Mapping[str, object], complain: Complain, note: Note) -> tuple[User, tuple[Example, ...]]:
    """A user and their queries; FieldError where there is no user to be had from the line."""
    name = ident(required(line, "user_id", "user_id"), "user_id")
    profile = optional(line.get("profile"), "profile")
    asked = items([] if line.get("queries") is None else line["queries"], "queries")
    note_others(line, USER_KEYS, "", note)
    history = read_history(required(line, "history", "history"), "history", partial(_item, note), complain, note)
    user = User(name, history, profile)
    return user, _queries(asked, user, complain, note)


def read_item(item: Mapping[str, object], field: str) -> Interaction:
    """One interaction; FieldError where a field breaks a rule. `field` is the prefix of names in messages."""
    said = text(required(item, "input", f"{field}input"), f"{field}input")
    given = text(required(item, "output", f"{field}output"), f"{field}output")
    return interaction(said, given, moment(item.get("time"), f"{field}time"), _task(item, field), f"{field}output")


def write_user(user: User, queries: tuple[Example, ...]) -> dict[str, object]:
    """The JSON object that `read_user` reads back as the same records."""
    line: dict[str, object] = {"user_id": user.id, "history": [_written(item) for item in user.history]}
    if user.profile is not None:
        line["profile"] = user.profile
    if queries:
        line["queries"] = [_asked(query) for query in queries]
    return line


def note_others(record: Mapping[str, object], ours: frozenset[str], field: str, note: Note) -> None:
    """Count the keys that are not ours."""
    for key in record:
        if key not in ours:
            note(f"ignored {field}{key}")


def _item(note: Note, item: object, field: str) -> Interaction:
    record = table(item, field)
    note_others(record, ITEM_KEYS, "history[].", note)
    return read_item(record, f"{field}.")


def _queries(asked: list[object], user: User, complain: Complain, note: Note) -> tuple[Example, ...]:
    queries = []
    for i, query in enumerate(asked):
        try:
            record = table(query, f"queries[{i}]")
            note_others(record, QUERY_KEYS, "queries[].", note)
            queries.append(_query(record, user, i))
        except FieldError as error:
            complain(error.field, error.reason)
    return tuple(queries)


def _query(query: Mapping[str, object], user: User, i: int) -> Example:
    field = f"queries[{i}]."
    given = query.get("id")
    name = f"{user.id}/{i}" if given is None else ident(given, f"{field}id")
    said = text(required(query, "input", f"{field}input"), f"{field}input")
    time = by_end(query.get("time"), f"{field}time")
    check_after(user.history, time, f"{field}time")
    target = optional(query.get("output"), f"{field}output")
    return Example(name, user.id, _task(query, field), said, target, time)


def _task(record: Mapping[str, object], field: str) -> str | None:
    task = record.get("task")
    return None if task is None else ident(task, f"{field}task")


def _written(item: Interaction) -> dict[str, object]:
    line: dict[str, object] = {"input": item.input, "output": item.output}
    return line | _present(time=item.time, task=item.task)


def _asked(query: Example) -> dict[str, object]:
    line: dict[str, object] = {"id": query.id, "input": query.input}
    return line | _present(output=query.target, time=query.time, task=query.task)


def _present(**fields: object) -> dict[str, object]:
    return {key: value for key, value in fields.items() if value is not None}
