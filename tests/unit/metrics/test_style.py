"""Attributes of style, text by text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailorlm.metrics.style import (
    emojis,
    ending,
    length,
    letter_case,
    opener,
    same_case,
    same_emoji,
    same_ending,
    same_length,
    same_opener,
    style,
)

OPENERS = ("ok", "ok so", "guess what")


@pytest.mark.parametrize(
    ("text", "case"),
    [
        ("RAIN DELAYS THE MATCH", "upper"),
        ("rain delays the match", "lower"),
        ("Rain Delays The Match", "title"),
        ("Rain delays the match", "sentence"),
        ("Rain", "sentence"),
        ("Rain delays the 2 Matches", "sentence"),
        ("rain Delays the match", "mixed"),
        ("raIN", "mixed"),
        ("It's Don't", "title"),
        ("7-1 🔥 !!", "none"),
        ("", "none"),
    ],
)
def test_letter_case(text: str, case: str) -> None:
    assert letter_case(text) == case


@pytest.mark.parametrize(
    ("text", "end"),
    [
        ("it rains", ""),
        ("it rains!", "!"),
        ("it rains...", "..."),
        ("it rains…", "..."),
        ("it rains?! 🔥 ", "?!"),
        ("!", "!"),
        ("", ""),
    ],
)
def test_ending(text: str, end: str) -> None:
    assert ending(text) == end


def test_emoji_are_a_set_with_joined_ones_whole() -> None:
    assert emojis("🔥 hot 🔥✨") == {"🔥", "✨"}
    assert emojis("👩🏽‍🚀") == {"👩🏽‍🚀"}
    assert emojis("7 *") == frozenset()


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("ok so my bike broke", "ok so"),
        ("OK so, my bike broke", "ok so"),
        ("ok my bike broke", "ok"),
        ("okay so it goes", ""),
        ("guess what", "guess what"),
        ("so guess what", ""),
        ("", ""),
    ],
)
def test_the_longest_known_opener(text: str, found: str) -> None:
    assert opener(text, OPENERS) == found


def test_an_empty_opener_is_none() -> None:
    assert opener("anything", ("", "ok")) == ""


def test_length_counts_words() -> None:
    assert length("don't panic, it's 2 late 🔥!") == 5
    assert same_length(" ".join("a" * 11), " ".join("b" * 10))
    assert not same_length(" ".join("a" * 12), " ".join("b" * 10))
    assert not same_length("a b c", "a b c d")


def test_shares_of_rows() -> None:
    same = {"case": same_case, "ending": same_ending, "emoji": same_emoji, "opener": same_opener(OPENERS)}
    said = ["ok so it rains! 🔥", "It rains"]
    golds = ["ok so it snows! ✨", "ok It rains"]
    assert style(said, golds, same) == {"case": 0.5, "ending": 1, "emoji": 0.5, "opener": 0.5}


def test_rows_must_pair_up() -> None:
    with pytest.raises(ValueError, match="no rows"):
        style([], [], {"case": same_case})


@given(st.text(), st.text())
def test_any_text_has_every_attribute_and_equals_itself(one: str, other: str) -> None:
    for same in (same_case, same_ending, same_emoji, same_length, same_opener(OPENERS)):
        assert same(one, one)
        same(one, other)
