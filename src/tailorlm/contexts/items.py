"""Items of a history in a prompt: framed, in an order, and only whole ones, as many as fit.

Knows nothing of how items are chosen. Source: reference section 3 (retrieved items before the input; newest items that
fit the window).
"""

from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from tailorlm.backbone.prompt import Prompt
from tailorlm.contexts.context import Request
from tailorlm.contexts.wording import ITEM, ITEMS, check, fill
from tailorlm.data.records import Interaction

FEW = 8
Order = Literal["best_last", "best_first", "oldest_first"]


@dataclass(frozen=True, slots=True)
class Framing:
    """`item` frames each item, as its task shows it; `wording` frames them all and ends where what follows begins."""

    item: str = "{item}\n\n"
    wording: str = "What this user wrote before:\n\n{items}"

    def __post_init__(self) -> None:
        """ValueError for a text without its field."""
        check("items.item", self.item, ITEM)
        check("items.wording", self.wording, ITEMS)


def with_items(
    request: Request,
    ranked: Sequence[Interaction],
    order: Order,
    framing: Framing,
    before: str = "",
    after: str = "",
) -> Prompt:
    """The request's prompt, its context longer by `before`, the first of `ranked` (best first) that fit, `after`.

    Items are dropped whole, from the end of `ranked`; without any there is no framing either.
    """

    def prompt(count: int) -> Prompt:
        said = before + _said(request, ordered(ranked[:count], order, request.history), framing) + after
        return replace(request.prompt, context=request.prompt.context + said)

    return prompt(most(len(ranked), lambda count: request.fits(prompt(count))))


def most(count: int, fits: Callable[[int], bool]) -> int:
    """The largest number up to `count` that fits, 0 where none does; what fits with more fits with fewer.

    Doubles from FEW before it halves: a long history is never asked about in whole where a few items fill the prompt.
    """
    low, high = 0, min(FEW, count)
    while high < count and fits(high):
        low, high = high, min(2 * high, count)
    if fits(high):
        return high
    return low + bisect_left(range(low + 1, high), True, key=lambda number: not fits(number))


def ordered(ranked: Sequence[Interaction], order: Order, history: Sequence[Interaction]) -> list[Interaction]:
    """The items as they stand in the prompt."""
    if order == "best_first":
        return list(ranked)
    if order == "best_last":
        return list(reversed(ranked))
    place = {id(item): number for number, item in enumerate(history)}
    return sorted(ranked, key=lambda item: place[id(item)])


def _said(request: Request, items: Sequence[Interaction], framing: Framing) -> str:
    shown = (fill(framing.item, ITEM, request.retrieval.shown(item)) for item in items)
    return fill(framing.wording, ITEMS, "".join(shown))
