"""A history as a caller may write it: interactions, (input, output) pairs, or the JSONL's objects.

Knows nothing of files. Text is checked as the readers check it; errors give the item's place, never its text.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from tailorlm.data.problems import FieldError
from tailorlm.data.records import Interaction
from tailorlm.data.userline import read_item

History = Sequence[Interaction | tuple[str, str] | Mapping[str, Any]]


def interactions(history: History) -> tuple[Interaction, ...]:
    """The items as interactions, in the given order. ValueError names the first that is none of the three forms."""
    return tuple(_item(item, place) for place, item in enumerate(history))


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
