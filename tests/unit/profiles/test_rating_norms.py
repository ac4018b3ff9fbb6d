"""Expected ratings from words, and how a user leans against them."""

import random
from dataclasses import replace

import numpy as np
import pytest

from tailorlm.data.records import Interaction
from tailorlm.profiles.leaning import leaning
from tailorlm.profiles.norms import Norms, fit_apart, fit_norms
from tailorlm.profiles.number import number


def items():
    for n in range(40):
        yield Interaction(f"good thing {n}", "5", None, "r")
        yield Interaction(f"bad thing {n}", "1", None, "r")
        yield Interaction("a film", "comedy", None, "tags")


def histories():
    """A user an item."""
    return [[item] for item in items()]


def test_words_carry_the_expected_rating():
    norms = fit_norms(histories())
    assert set(norms) == {"r"}
    assert norms["r"].expected("a GOOD day") > 4 > 2 > norms["r"].expected("bad luck")
    assert (norms["r"].low, norms["r"].high) == (1.0, 5.0)


def test_words_of_fewer_than_five_users_are_not_kept():
    own = [Interaction("good secretword", "5", None, "r") for n in range(30)]
    norms = fit_norms([*histories(), own, own, own, own])
    assert "secretword" not in norms["r"].weights and "good" in norms["r"].weights
    assert "secretword" in fit_norms([*histories(), own, own, own, own, own])["r"].weights


def test_ridge_solution_is_the_closed_form():
    pairs = [("a b", 5.0), ("a", 4.0), ("b", 2.0), ("", 1.0)] * 5
    norms = fit_norms([[Interaction(words, str(value))] for words, value in pairs])[None]
    x = np.array([["a" in words, "b" in words] for words, _ in pairs], dtype=float)
    y = np.array([value for _, value in pairs])
    centred = x - x.mean(0)
    weights = np.linalg.solve(centred.T @ centred + 3 * np.eye(2), centred.T @ (y - y.mean()))
    assert norms.weights == pytest.approx({"a": weights[0], "b": weights[1]})
    assert norms.base == pytest.approx(y.mean() - x.mean(0) @ weights)


def crowd(users=23, seed=0):
    """Ratings that are no round numbers, on words that some share."""
    rng = random.Random(seed)
    words = [f"w{n}" for n in range(60)]
    return [[Interaction(" ".join(rng.sample(words, 6)), f"{rng.uniform(1, 5):.3f}", None, rng.choice("rs"))
             for _ in range(rng.randint(3, 30))] for _ in range(users)]  # fmt: skip


@pytest.mark.parametrize("parts", [4, 23])
def test_a_users_part_is_left_out_to_the_last_bit(parts):
    people = crowd()
    apart = fit_apart(people, parts, words=40)
    for n in (0, 5, 22):
        others = [user for m, user in enumerate(people) if m % parts != n % parts]
        alone = fit_norms(others, words=40)
        assert alone.keys() == apart[n % parts].keys()
        for task, norms in alone.items():
            found = apart[n % parts][task]
            assert list(found.weights) == list(norms.weights) and (found.low, found.high) == (norms.low, norms.high)
            assert found.weights == pytest.approx(norms.weights) and found.base == pytest.approx(norms.base)
        for own in ([], [replace(item, output=f"{6 - float(item.output)}") for item in people[n]],
                    [Interaction(f"w1 new{m}", "0.123" if m % 2 else "text", None, "rs"[m % 2]) for m in range(90)],
                    crowd(1, 9)[0]):  # fmt: skip
            changed = [own if m == n else user for m, user in enumerate(people)]
            again = fit_apart(changed, parts, words=40)
            assert again[n % parts] == apart[n % parts]
            assert any(again[m] != apart[m] for m in range(parts) if m != n % parts)


def test_nobody_else_leaves_no_norms():
    assert fit_apart([crowd(1)[0]], 1) == [{}]
    assert fit_apart([crowd(1)[0], [Interaction("x", "text", None, "r")]], 2)[0] == {}


def test_no_numbers_no_norms_and_constant_ratings_do_not_fail():
    assert fit_norms([[Interaction("x", "comedy")]]) == {}
    assert fit_norms([[Interaction("x", "3")] * 6])[None].expected("anything") == 3.0
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
