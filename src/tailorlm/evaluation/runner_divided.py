"""Work on many items at once in which one bad item fails alone. Knows nothing of the work."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Tried(Generic[T, R]):
    """Items that were worked on together, and what came of it: `found`, or an `error` and None."""

    items: Sequence[T]
    found: R | None
    error: Exception | None = None


def divided(items: Sequence[T], work: Callable[[Sequence[T]], R]) -> list[Tried[T, R]]:
    """`work` on all items (N, in order) together; after a ValueError on halves, down to single items.

    A ValueError is about an item (a text too long, a rating that is none); any other error (memory, a device) fails
    all items that were tried together.
    """
    if not items:
        return []
    try:
        return [Tried(items, work(items))]
    except ValueError as error:
        if len(items) == 1:
            return [Tried(items, None, error)]
    except Exception as error:
        return [Tried(items, None, error)]
    half = len(items) // 2
    return [*divided(items[:half], work), *divided(items[half:], work)]
