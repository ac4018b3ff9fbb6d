"""The exact ranking posterior against the sum over all permutations; Luce scores against their definition."""

import math
import random
from itertools import permutations

import pytest

from tailorlm.profiles.preference import positions, scores
from tailorlm.profiles.ranking import expected_places

LABELS = ("a", "b", "c", "d", "e")


def brute(choices, labels, noise):
    total, places = 0.0, dict.fromkeys(labels, 0.0)
    for order in permutations(labels):
        weight = 1.0
        for chosen, offered in choices:
            right = min(offered, key=order.index) == chosen
            weight *= noise / len(offered) + (1 - noise) * right
        total += weight
        for place, label in enumerate(order, start=1):
            places[label] += weight * place
    return {label: place / total for label, place in places.items()}


def drawn(rng, count):
    for _ in range(count):
        offered = rng.sample(LABELS, rng.choice((2, 3, 5)))
        yield rng.choice(offered), frozenset(offered)


@pytest.mark.parametrize("count", [0, 1, 5, 12])
@pytest.mark.parametrize("noise", [0.02, 0.1, 0.5])
def test_mean_places_are_those_of_the_sum_over_all_rankings(count, noise):
    choices = list(drawn(random.Random(count), count))
    found, expected = expected_places(choices, LABELS, noise), brute(choices, LABELS, noise)
    assert found == pytest.approx(expected, abs=1e-9)


def test_a_thousand_contradictory_choices_do_not_underflow():
    choices = list(drawn(random.Random(0), 3000))
    assert all(1 <= place <= 5 for place in expected_places(choices, LABELS, 0.01).values())
    assert sum(expected_places(choices, LABELS).values()) == pytest.approx(15)


def test_indirect_evidence_counts():
    """a over b and b over c ranks a over c, which were never on offer together."""
    found = expected_places([("a", frozenset("ab")), ("b", frozenset("bc"))], "abc")
    assert found["a"] < found["b"] < found["c"]


def test_too_many_labels_are_refused():
    with pytest.raises(ValueError, match="11 labels"):
        expected_places([], [str(n) for n in range(11)])


def test_luce_scores_are_stationary_points_of_the_posterior():
    choices = list(drawn(random.Random(2), 40))
    found = scores(choices, variance=3.0, sweeps=60)
    for label in LABELS:
        slope = -found[label] / 3.0
        for chosen, offered in choices:
            if label in offered:
                share = math.exp(found[label]) / sum(math.exp(found[other]) for other in offered)
                slope += (label == chosen) - share
        assert slope == pytest.approx(0.0, abs=1e-4)


def test_positions_are_places_and_ties_share_the_middle():
    assert positions({"a": 2.0, "b": 0.5, "c": -1.0}, "abc") == {"a": 1, "b": 2, "c": 3}
    assert positions({"a": 2.0}, "abcd") == {"a": 1, "b": 3, "c": 3, "d": 3}
    assert positions({}, "abc") == {"a": 2, "b": 2, "c": 2}
