"""Expected ratings from words, and how a user leans against them."""

import pytest

from tailorlm.data.records import Interaction
from tailorlm.profiles.leaning import leaning
from tailorlm.profiles.norms import Norms, fit_norms
from tailorlm.profiles.number import number


def items():
    for n in range(40):
        yield Interaction(f"good thing {n}", "5", None, "r")
        yield Interaction(f"bad thing {n}", "1", None, "r")
        yield Interaction("a film", "comedy", None, "tags")


def test_words_carry_the_expected_rating():
    norms = fit_norms(items())
    assert set(norms) == {"r"}
    assert norms["r"].expected("a GOOD day") > 4 > 2 > norms["r"].expected("bad luck")
    assert (norms["r"].low, norms["r"].high) == (1.0, 5.0)


def test_rare_words_are_not_kept():
    norms = fit_norms([*items(), Interaction("good secretword", "5", None, "r")])
    assert "secretword" not in norms["r"].weights and not any(w.isdigit() for w in norms["r"].weights)


def test_ridge_solution_is_the_closed_form():
    import numpy as np

    from tailorlm.profiles.norms import _fit

    pairs = [
        (frozenset(("a", "b")), 5.0),
        (frozenset("a"), 4.0),
        (frozenset("b"), 2.0),
        (frozenset(), 1.0),
    ] * 5
    norms = _fit(pairs, 10, 5, 3.0)
    x = np.array([["a" in w, "b" in w] for w, _ in pairs], dtype=float)
    y = np.array([v for _, v in pairs])
    centred = x - x.mean(0)
    weights = np.linalg.solve(centred.T @ centred + 3 * np.eye(2), centred.T @ (y - y.mean()))
    assert norms.weights == pytest.approx({"a": weights[0], "b": weights[1]})
    assert norms.base == pytest.approx(y.mean() - x.mean(0) @ weights)


def test_no_numbers_no_norms_and_constant_ratings_do_not_fail():
    assert fit_norms([Interaction("x", "comedy")]) == {}
    assert fit_norms([Interaction("x", "3")] * 6)[None].expected("anything") == 3.0
    found = leaning([3.0, 3.0], [3.0, 3.0], 3.0, 3.0)
    assert found == pytest.approx((0.0, 0.0), abs=1e-6)


def test_leaning_finds_offset_and_stretch_despite_an_outlier():
    expected = [1.5, 2.0, 2.5, 3.0, 3.5, 4.0, 4.5, 3.0, 2.0, 4.0]
    up = [min(5.0, value + 1) for value in expected]
    assert leaning(expected, [*up[:-1], 1.0], 1.0, 5.0)[0] == pytest.approx(1.0, abs=0.35)
    wide = [min(5.0, max(1.0, 3 + 2 * (value - 3))) for value in expected]
    offset, stretch = leaning(expected, wide, 1.0, 5.0)
    assert abs(offset) < 0.25 and stretch > 0.6
    assert leaning([], [], 1.0, 5.0) == pytest.approx((0.0, 0.0), abs=1e-6)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("4", 4),
        (" 4.5 ", 4.5),
        ("4/5", 4),
        ("3 stars", 3),
        ("-1", -1),
        ("2,5", 2.5),
        ("four", None),
        ("4 of 5", None),
        ("", None),
    ],
)
def test_whole_outputs_are_read_as_numbers(text, value):
    assert number(text) == value


def test_norms_are_plain_data():
    assert Norms(3.0, {"good": 5.0}, 1.0, 5.0).expected("good good") == 5.0
