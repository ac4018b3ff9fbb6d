"""Cuts: what is seen and what is asked never overlap, and all of the history is in one of them."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailorlm.data.cuts import Cut, sample_cuts, seen, targets
from tailorlm.data.records import Interaction, User


def user(length, id="u"):
    return User(id, tuple(Interaction(f"i{n}", f"o{n}", float(n), "t") for n in range(length)))


@given(st.integers(0, 30), st.integers(0, 40), st.integers(0, 40), st.integers(0))
def test_cuts_are_different_in_order_and_in_range(length, count, minimum, seed):
    cuts = sample_cuts(user(length), count, minimum, Random(seed))
    positions = [cut.position for cut in cuts]
    assert positions == sorted(set(positions))
    assert all(minimum <= position < length for position in positions)
    assert len(positions) == min(count, max(0, length - minimum))
    assert cuts == sample_cuts(user(length), count, minimum, Random(seed))


def test_seen_and_targets_part_the_history():
    someone = user(4)
    for position in range(4):
        cut = Cut("u", position)
        asked = targets(someone, cut)
        assert seen(someone, cut) == someone.history[:position]
        assert [(one.input, one.target, one.time, one.task) for one in asked] == [
            (item.input, item.output, item.time, item.task) for item in someone.history[position:]
        ]
        assert [one.id for one in asked] == [f"u@{n}" for n in range(position, 4)]
        assert {one.user_id for one in asked} == {"u"}


def test_what_is_seen_does_not_depend_on_what_is_asked():
    other = User("u", (*user(4).history[:2], Interaction("x", "y")))
    assert seen(other, Cut("u", 2)) == seen(user(4), Cut("u", 2))


def test_every_cut_is_drawn_evenly():
    drawn = [sample_cuts(user(5), 1, 1, Random(seed))[0].position for seed in range(2000)]
    assert all(400 < drawn.count(position) < 600 for position in range(1, 5))


@pytest.mark.parametrize(("count", "minimum"), [(-1, 0), (0, -1)])
def test_negative_numbers_are_refused(count, minimum):
    with pytest.raises(ValueError, match="negative"):
        sample_cuts(user(3), count, minimum, Random(0))


@pytest.mark.parametrize("cut", [Cut("v", 0), Cut("u", 3), Cut("u", -1)])
def test_a_cut_of_another_user_or_length_is_refused(cut):
    with pytest.raises(ValueError, match="user"):
        seen(user(3), cut)
    with pytest.raises(ValueError, match="user"):
        targets(user(3), cut)
