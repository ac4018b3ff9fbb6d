"""Rows that are one answer each, with nothing that says which are questions, put together into a Dataset.

Knows nothing of any file's layout: Personal Reddit and the empathic reactions hand it their rows.

Decisions
- Of a user's rows, in the order of the file, the last fifth (at least one) are queries, the rows before them
  the history. One row alone is a query with an empty history.
- A query's id is `{user}/{n}`, the user's n-th row from 0. There are no times.
- A user's rows have to agree on the profile text; a row that does not is a problem, and the first row's
  stands.
"""

from collections.abc import Iterable
from typing import NamedTuple

from .problems import Faults, Place
from .records import Dataset, Example, Interaction, User


class Answer(NamedTuple):
    """One row: where it stands, whose it is, the file's own description of them, the interaction."""

    place: Place
    user_id: str
    profile: str
    item: Interaction


def split(answers: Iterable[Answer], faults: Faults) -> Dataset:
    """Users with their earlier rows, and their last fifth as queries, user by user in the order of first
    rows.
    """
    profiles: dict[str, str] = {}
    rows: dict[str, list[Interaction]] = {}
    for place, name, profile, item in answers:
        if profiles.setdefault(name, profile) == profile:
            rows.setdefault(name, []).append(item)
        else:
            faults.add(place, "profile", f"not the description of the user's first row (user {name})")
    users = {name: User(name, tuple(items[: asked_from(len(items))]), profiles[name]) for name, items in rows.items()}
    return Dataset(users, tuple(query for name, items in rows.items() for query in _queries(name, items)))


def asked_from(rows: int) -> int:
    """The first row that is a query, of a user's `rows`."""
    return rows - max(1, rows // 5)


def _queries(name: str, rows: list[Interaction]) -> list[Example]:
    return [
        Example(f"{name}/{n}", name, rows[n].task, rows[n].input, rows[n].output)
        for n in range(asked_from(len(rows)), len(rows))
    ]
