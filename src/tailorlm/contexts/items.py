"""Items of a history in a prompt: framed, in an order, and only whole ones, as many as fit.

Knows nothing of how items are chosen. Source: reference section 3 (retrieved items before the input; newest items that
fit the window).
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, chain, islice, takewhile
from typing import Literal

from tailorlm.backbone.prompt import Prompt
from tailorlm.contexts.context import Request
from tailorlm.contexts.wording import ITEM, ITEMS, check, fill
from tailorlm.data.records import Interaction

FEW = 4
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

    def sizes() -> Iterator[int]:
        bare = sum(len(turn["content"]) for turn in prompt(0).messages())
        return accumulate((len(_framed(request, item, framing)) for item in ranked), initial=bare)

    return prompt(most(len(ranked), lambda count: request.fits.length(prompt(count)), request.fits.limit, sizes))


def most(count: int, length: Callable[[int], int], limit: float, sizes: Callable[[], Iterator[int]]) -> int:
    """The largest number up to `count` whose `length` is at most `limit`, 0 where none is; more never has less.

    `length` decides and is dear (a prompt is encoded). `sizes()` guesses: the characters with 0, 1, 2 and more of them;
    so a long history is not encoded in whole where a few items fill the prompt, nor one item after the other.
    """
    low, high, guess = 0, count + 1, min(FEW, count)
    for asked in range(count):
        if high - low == 1:
            break
        found = length(guess)
        low, high = (guess, high) if found <= limit else (low, guess)
        # Where characters mislead again and again: doubled, or halved.
        guess = _likely(sizes(), guess, found, limit) if asked < 4 else min(2 * guess, (low + high) // 2)
        guess = min(max(guess, low + 1), high - 1)
    return low


def _likely(sizes: Iterator[int], known: int, length: int, limit: float) -> int:
    """The largest number within the limit if each character takes as much as with the `known`, of this length."""
    seen = list(islice(sizes, known + 1))
    room = limit * seen[known] / max(length, 1)
    return sum(1 for _ in takewhile(lambda size: size <= room, chain(seen, sizes))) - 1


def ordered(ranked: Sequence[Interaction], order: Order, history: Sequence[Interaction]) -> list[Interaction]:
    """The items as they stand in the prompt."""
    if order == "best_first":
        return list(ranked)
    if order == "best_last":
        return list(reversed(ranked))
    place = {id(item): number for number, item in enumerate(history)}
    return sorted(ranked, key=lambda item: place[id(item)])


def _said(request: Request, items: Sequence[Interaction], framing: Framing) -> str:
    return fill(framing.wording, ITEMS, "".join(_framed(request, item, framing) for item in items))


def _framed(request: Request, item: Interaction, framing: Framing) -> str:
    return fill(framing.item, ITEM, request.retrieval.shown(item))
