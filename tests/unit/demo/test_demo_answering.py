"""The demo's controls: nobody keeps the own adapter, and each is given once."""

import pytest

from tailorlm.demo.answering import neighbours, shuffled
from tailorlm.methods.source import Roster

TASKS = ("rating", "tweet")


def roster(*users):
    places = [(user, task) for user in users for task in TASKS]
    return Roster(None, {place: n for n, place in enumerate(places)})


def given(wrong, *sources):
    """(user, task) -> whose adapter it is now."""
    owners = {n: place for one in sources for place, n in one.place.items()}
    return {place: owners[n] for place, n in wrong.place.items()}


def test_the_other_split_is_a_derangement_of_all():
    first, second = roster("a", "b", "c"), roster("x", "y", "z")
    got = given(shuffled(first, second), second)
    assert sorted(got.values()) == sorted(second.place) and all(mine[1] == its[1] for mine, its in got.items())
    with pytest.raises(ValueError, match="other users"):
        shuffled(first, roster("c", "d"))


def test_neighbours_are_a_derangement_of_the_split():
    own = roster("a", "b", "c")
    got = given(neighbours(own), own)
    assert got == {(u, task): (v, task) for u, v in (("a", "b"), ("b", "c"), ("c", "a")) for task in TASKS}
    with pytest.raises(ValueError, match="1 users"):
        neighbours(roster("a"))
