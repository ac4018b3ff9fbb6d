"""A history as a caller may write it: interactions, (input, output) pairs, or the JSONL's objects.

Knows nothing of files. Text is checked as the readers check it; errors give the item's place, never its text.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from tailorlm.data.problems import FieldError
from tailorlm.data.records import Interaction
from tailorlm.data.userline import read_item

History = Sequence[Interaction | tuple[str, str] | Mapping[str, Any]]


def interactions(history: History, task: str | None = None) -> tuple[Interaction, ...]:
    """The items as interactions, in the given order; `task` is that of items that name none.

    ValueError names the first item that is none of the three forms.
    """
    items = [_item(item, place) for place, item in enumerate(history)]
    return tuple(replace(item, task=task) if item.task is None else item for item in items)


def _item(item: Interaction | tuple[str, str] | Mapping[str, Any], place: int) -> Interaction:
    if isinstance(item, Interaction):
        return item
    if isinstance(item, tuple | list) and len(item) == 2:
        item = {"input": item[0], "output": item[1]}
    if not isinstance(item, Mapping):
        kind = type(item).__name__
        raise ValueError(f"history[{place}] is {kind}: expected an Interaction, (input, output) or a mapping")
    try:
        return read_item(item, f"history[{place}].")
    except FieldError as error:
        raise ValueError(f"{error.field}: {error.reason}") from None
