"""A history as a caller may write it: interactions, (input, output) pairs, or the JSONL's objects.

Knows nothing of files. Text is checked as the readers check it; errors give the item's place, never its text.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from tailorlm.data.problems import FieldError
from tailorlm.data.records import Interaction
from tailorlm.data.userline import ITEM_KEYS, read_item

History = Sequence[Interaction | tuple[str, str] | Mapping[str, Any]]


def interactions(history: History, task: str | None = None) -> tuple[Interaction, ...]:
    """The items as interactions, in the given order; `task` is that of items that name none.

    ValueError names the first item that is none of the three forms, and a key that is none of theirs.
    """
    if isinstance(history, str | bytes | Mapping) or not isinstance(history, Iterable):
        raise TypeError(f"history is {type(history).__name__}: expected a list of items")
    items = [_item(item, place) for place, item in enumerate(history)]
    return tuple(replace(item, task=task) if item.task is None else item for item in items)


def _item(item: Interaction | tuple[str, str] | Mapping[str, Any], place: int) -> Interaction:
    if isinstance(item, Interaction):
        return item
    if isinstance(item, tuple | list) and len(item) == 2:
        item = {"input": item[0], "output": item[1]}
    if isinstance(item, Mapping) and (odd := [key for key in item if key not in ITEM_KEYS]):
        raise ValueError(f"history[{place}] has the key {odd[0]!a}; there are: {', '.join(sorted(ITEM_KEYS))}")
    if not isinstance(item, Mapping):
        kind = type(item).__name__
        raise ValueError(f"history[{place}] is {kind}: expected an Interaction, (input, output) or a mapping")
    try:
        return read_item(item, f"history[{place}].")
    except FieldError as error:
        raise ValueError(f"{error.field}: {error.reason}") from None
