"""Questions that each carry a copy of the user's history, put together into a Dataset.

Knows nothing of any file's layout: the readers of LaMP, LongLaMP and the like hand it questions.

Decisions
- Several questions of one user id have to carry the same history and profile text: a longer history at a
  later question would hold earlier answers, so a differing one is a problem of that question, and the first
  stands.
- A question id occurs once; a question before the end of the history that it carries is a problem
  (`history.py`).
"""

from collections.abc import Iterable
from typing import NamedTuple

from .history import check_after
from .problems import Faults, FieldError, Place
from .records import Dataset, Example, User


class Question(NamedTuple):
    """A query with its user's history as that question has it."""

    place: Place
    user: User
    example: Example


def gather(questions: Iterable[Question], faults: Faults) -> Dataset:
    """Users by id in the order of their first question, queries in the order of the file."""
    users: dict[str, User] = {}
    examples: dict[str, Example] = {}
    for place, user, example in questions:
        try:
            if example.id in examples:
                raise FieldError("id", f"{example.id} already stands earlier in the file")
            check_after(user.history, example.time, "date")
            if users.get(user.id, user) != user:
                raise FieldError("profile", f"not the history of the user's first question (user {user.id})")
        except FieldError as error:
            faults.add(place, error.field, error.reason)
        else:
            users.setdefault(user.id, user)
            examples[example.id] = example
    return Dataset(users, tuple(examples.values()))
