"""MAE, RMSE and nearness against numbers worked out by hand."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailorlm.metrics.rating import errors, farthest, nearness, number, rating


def test_hand_worked_rows() -> None:
    scores = rating(["5", " 2.0\n", "1"], ["4", "2", "4"])
    assert scores == pytest.approx({"mae": 4 / 3, "rmse": math.sqrt(10 / 3), "invalid": 0})


@pytest.mark.parametrize(("gold", "error"), [("1", 4), ("2", 3), ("3", 2), ("4", 3), ("5", 4)])
def test_an_unparsable_answer_is_the_farthest_extreme(gold: str, error: float) -> None:
    for said in ("", "four", "4 stars", "nan", "inf"):
        assert rating([said], [gold]) == {"mae": error, "rmse": error, "invalid": 1}


def test_the_middle_counts_as_the_higher_extreme_as_in_lamp() -> None:
    assert farthest(3) == 5
    assert farthest(2.9) == 5
    assert farthest(3.1) == 1


def test_an_answer_beyond_the_scale_counts_with_its_value_but_is_never_below_nearness_zero() -> None:
    assert errors(["9"], ["4"]) == [5]
    assert nearness(["9"], ["4"]) == [0.25]
    assert nearness(["9"], ["5"]) == [0]


def test_nearness_averages_to_one_minus_a_quarter_of_mae() -> None:
    said, golds = ["5", "3", "x", "1"], ["4", "3", "1", "2"]
    mean = sum(nearness(said, golds)) / 4
    assert mean == pytest.approx(1 - rating(said, golds)["mae"] / 4)


@given(st.text(), st.sampled_from(["1", "2", "3", "4", "5"]))
def test_any_answer_has_a_score_between_zero_and_one(said: str, gold: str) -> None:
    [score] = nearness([said], [gold])
    assert 0 <= score <= 1
    assert math.isfinite(rating([said], [gold])["rmse"])


def test_other_scales() -> None:
    assert errors(["x"], ["2"], low=0, high=10) == [8]
    assert nearness(["5"], ["10"], low=0, high=10) == [0.5]


def test_numbers() -> None:
    assert number(" 4.5 ") == 4.5
    assert number("1e400") is None


@pytest.mark.parametrize("gold", ["", "secret", "0", "6", "nan"])
def test_a_target_off_the_scale_is_refused_without_its_text(gold: str) -> None:
    with pytest.raises(ValueError, match=r"target of row 1 .* from 1 to 5") as refused:
        errors(["1", "1"], ["3", gold])
    assert "secret" not in str(refused.value)


def test_rows_must_pair_up() -> None:
    with pytest.raises(ValueError, match="2 predictions for 1 targets"):
        rating(["1", "2"], ["1"])


def test_an_absurd_answer_is_unreadable_and_breaks_nothing():
    assert rating(["1e308"] * 3, ["3"] * 3) == rating(["?"] * 3, ["3"] * 3)
    found = rating(["1e99", "3"], ["3", "3"])  # official: beyond the scale, with its value
    assert found["mae"] == 5e98 and found["rmse"] == pytest.approx(1e99 / 2**0.5) and found["invalid"] == 0
