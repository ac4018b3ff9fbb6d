"""How many items fit: the same as asking about each number in turn, in few questions, whatever the histories."""

from collections.abc import Iterator
from importlib.resources import files
from itertools import accumulate
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from transformers import AutoTokenizer

from tailorlm.backbone.prompt import Prompt, encode_prompt
from tailorlm.contexts.context import Request, within
from tailorlm.contexts.items import Framing, Order, most, ordered, with_items
from tailorlm.data.records import Example, Interaction

WORDS = (
    "the sea",
    "A dog",
    "it's 1999",
    "naïve",
    "日本の海",
    "👩‍🚀 up",
    "\n\n- x",
    "   ",
    "ran",
    "fast, far;",
    "<|end|>",
)


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    """The demo's: byte-level BPE, as the Qwen models have it."""
    return AutoTokenizer.from_pretrained(str(files("tailorlm.demo").joinpath("base")))


def naive(request: Request, ranked: list[Interaction], order: Order, before: str, after: str, tokenizer: Any) -> Prompt:
    """All of them; one less while the whole prompt, encoded as the model gets it, is too long."""
    for count in range(len(ranked), -1, -1):
        shown = "".join(f"{request.retrieval.shown(item)}\n\n" for item in ordered(ranked[:count], order, ranked))
        said = f"What this user wrote before:\n\n{shown}" if shown else ""
        prompt = Prompt("asked", context=f"{before}{said}{after}")
        if len(encode_prompt(tokenizer, prompt, 10**9)) <= request.fits.limit:
            break
    return prompt


@pytest.mark.parametrize("order", ["best_last", "best_first", "oldest_first"])
@pytest.mark.parametrize("room", [1, 30, 100, 300, 1000, 10_000])
def test_the_items_that_fit_are_those_of_asking_about_each_number(order: Order, room: int, tokenizer: Any) -> None:
    dice = Random(room)
    for count in (0, 1, 2, 5, 40):
        # Long items beside short ones, one of a line beside empty ones: characters say little of tokens.
        texts = [" ".join(dice.choices(WORDS, k=int(dice.paretovariate(0.7)) % 60)) for _ in range(2 * count)]
        history = [Interaction(texts[n], texts[n + count]) for n in range(count)]
        before, after = dice.choice(["", "About.\n\n"]), dice.choice(["", "Likes 日本.\n\n"])
        asked = Request(Example("q", "u", None, "asked", None), Prompt("asked"), tuple(history))
        asked = Request(asked.example, asked.prompt, asked.history, fits=within(tokenizer, room))
        found = with_items(asked, history, order, Framing(), before, after)
        assert found == naive(asked, history, order, before, after, tokenizer)


@given(added=st.lists(st.integers(0, 50), max_size=300), said=st.data(), limit=st.integers(-5, 8000))
def test_the_most_are_found_whatever_the_characters_say(added: list[int], said: st.DataObject, limit: int) -> None:
    lengths = list(accumulate(added, initial=20))
    sizes = list(
        accumulate(said.draw(st.lists(st.integers(0, 99), min_size=len(added), max_size=len(added))), initial=0)
    )
    asked: list[int] = []

    def length(number: int) -> int:
        asked.append(number)
        return lengths[number]

    fitting = [number for number, found in enumerate(lengths) if found <= limit]
    assert most(len(added), length, limit, lambda: iter(sizes)) == max(fitting, default=0)
    assert len(asked) == len(set(asked)) <= 20


@given(count=st.integers(0, 300), real=st.integers(0, 300), fixed=st.integers(0, 9))
def test_where_characters_are_right_few_are_asked_about_and_never_far_more(count: int, real: int, fixed: int) -> None:
    asked: list[int] = []

    def length(number: int) -> int:
        asked.append(number)
        return 10 * number + fixed

    def sizes() -> Iterator[int]:
        return iter(range(fixed, 50 * count + fixed + 1, 50))

    assert most(count, length, 10 * real + fixed, sizes) == min(count, real)
    assert len(asked) <= 5 and max(asked, default=0) <= max(4, 2 * real)
