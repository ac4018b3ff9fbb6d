"""Which labels an input puts on offer."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailorlm.data.records import Interaction
from tailorlm.profiles.choices import choices
from tailorlm.profiles.offers import LONGEST_OPTION, finder, listed, named


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("tags: comedy, drama", {"comedy", "drama"}),
        (
            "tags: [sci-fi, based on a book, comedy] description: a long film, with a dog",
            {"sci-fi", "based on a book", "comedy"},
        ),
        ("choose comedy / horror / drama?", {"horror", "drama", "choose comedy"}),
        (
            "comedy, horror, or drama. a dog barks, drama ensues in the village of the damned today",
            {"comedy", "horror", "drama"},
        ),
        ("one of: comedy | drama\nplot: a dog", {"comedy", "drama"}),
        ("a comedy about a drama", set()),
        ("comedy", set()),
    ],
)
def test_lists_are_found_around_the_chosen_option(text, expected):
    chosen = "drama" if "drama" in text else "comedy"
    assert listed(text, chosen) == expected


def test_one_list_is_asked_about_many_times():
    text = "tags: comedy, drama. plot: a dog, a cat"
    for chosen, expected in (("drama", {"comedy", "drama"}), ("a dog", {"a dog", "a cat"}), ("dog", set())) * 2:
        assert listed(text, chosen) == expected


PIECES = (",", " ", "\t", "or", "and", "vs", "versus", "a", "o", "drama", "/", "\xa0", "é", ";", "-", "'")


@given(pieces=st.lists(st.sampled_from(PIECES), max_size=14))
def test_white_space_around_a_separator_is_its_own(pieces):
    text = "".join(pieces)
    separator = r"\s*(?:,\s*(?:or|and)\b|[,;/|]|\bor\b|\band\b|\bversus\b|\bvs\b)\s*"
    options = [part for one in re.split(separator, text) if (part := one.strip(" '*-"))]
    is_list = len(options) > 1 and all(len(option.split()) <= LONGEST_OPTION for option in options)
    assert listed(text, "drama") == (set(options) if is_list and "drama" in options else set())


def test_named_labels_are_whole_words_and_the_longest_match():
    find = finder(["comedy", "dark comedy", "war"])
    assert named("a dark comedy on war and wards", find, "war") == {"dark comedy", "war"}
    assert named("a film on war", find, "war") == frozenset()


def test_what_lists_and_words_do_not_say_is_all_on_offer():
    items = [
        Interaction("tags: x, y", "X"),
        Interaction("a film", "z"),
        Interaction("between x and z it is", "z"),
    ]
    assert choices(items, ("w",)) == [
        ("x", frozenset("xy")),
        ("z", frozenset("wxyz")),
        ("z", frozenset("xz")),
    ]
