"""A history out of a list: each item read by itself, those with problems left out, oldest first.

Knows nothing of files and fields' names. Source: design section 2 ("`time=None` means the file's order is the
order").

Decisions
- An item with a problem is left out, the others stay. An item whose input and output are both empty is a
  problem; one of them may be empty (a tweet has no input).
- Every item has a time and they are out of order: sorted by time, items of the same time in file order;
  noted.
- Some items have a time, some none: the file's order stands if the times that are there agree with it, and is
  a problem if they do not (nobody can say where the others belong).
- A query's time may equal the last item's (times are often days) and may not be before it: the history would
  hold the user's future.
"""

from collections.abc import Callable, Sequence
from itertools import pairwise, takewhile

from .fields import items
from .problems import FieldError
from .records import Interaction

Complain = Callable[[str, str], None]
Note = Callable[[str], None]


def read_history(
    found: object, field: str, read: Callable[[object, str], Interaction], complain: Complain, note: Note
) -> tuple[Interaction, ...]:
    """The items that `read` can read, given each with its field's name; FieldError where no order can be
    known.
    """
    history = []
    for i, item in enumerate(items(found, field)):
        try:
            history.append(read(item, f"{field}[{i}]"))
        except FieldError as error:
            complain(error.field, error.reason)
    ordered = chronological(history, field)
    if ordered != tuple(history):
        note("history put in order of time")
    return ordered


def interaction(said: str, given: str, time: float | None, task: str | None, field: str) -> Interaction:
    """An interaction that has something in it."""
    if not said and not given:
        raise FieldError(field, "its input and its output are empty: there is nothing in it")
    return Interaction(said, given, time, task)


def chronological(history: Sequence[Interaction], field: str) -> tuple[Interaction, ...]:
    """The history, oldest first; FieldError where no order can be known."""
    times = [item.time for item in history if item.time is not None]
    if all(a <= b for a, b in pairwise(times)):
        return tuple(history)
    if len(times) < len(history):
        raise FieldError(field, "times are out of order and some items have none: no order can be known")
    return tuple(sorted(history, key=lambda item: item.time or 0.0))


def strictly_before(history: Sequence[Interaction], time: float | None) -> tuple[Interaction, ...]:
    """The history strictly before `time`; without a time, all of it: the file's order vouches for it.

    It ends at the first item at or after `time`: an item without a time that stands behind is later.
    """
    if time is None:
        return tuple(history)
    return tuple(takewhile(lambda item: item.time is None or item.time < time, history))


def check_after(history: Sequence[Interaction], time: float | None, field: str) -> None:
    """FieldError where a query's time is before the end of the history that it is asked after."""
    end = max((item.time for item in history if item.time is not None), default=None)
    if time is not None and end is not None and time < end:
        raise FieldError(field, "before the end of the user's history, which would show the query its future")
