"""Averages over tasks by hand; the papers' own tables are in tests/golden/test_paper_averages.py."""

import pytest

from tailorlm.metrics.averages import (
    adaptability,
    averages,
    composite,
    composite_average,
    composite_cost,
    kind_of,
)
from tailorlm.metrics.classification import classification
from tailorlm.metrics.rating import rating
from tailorlm.metrics.text import text_scores

LABELLED = {"accuracy": 0.5, "f1_macro": 0.3, "f1_weighted": 0.4, "invalid": 2.0}
RATED = {"mae": 0.4, "rmse": 0.8, "invalid": 0.0}
WRITTEN = {"rouge1": 0.2, "rougeL": 0.1, "exact_match": 0.0, "invalid": 0.0}


def test_each_metric_is_averaged_over_the_tasks_of_its_kind() -> None:
    other = {"accuracy": 1.0, "f1_macro": 0.5, "f1_weighted": 1.0, "invalid": 0.0}
    found = averages({"a": LABELLED, "b": other, "c": WRITTEN, "d": RATED})
    assert found == {
        "classification": pytest.approx({"accuracy": 0.75, "f1_macro": 0.4, "f1_weighted": 0.7}),
        "generation": pytest.approx({"rouge1": 0.2, "rougeL": 0.1}),
        "rating": pytest.approx({"mae": 0.4, "rmse": 0.8}),
    }
    assert list(averages({"d": RATED})) == ["rating"]


def test_the_metrics_of_every_kind_are_told_apart() -> None:
    assert kind_of(classification(["a"], ["a"], ("a",))) == "classification"
    assert kind_of(rating(["1"], ["1"])) == "rating"
    assert kind_of(text_scores(["a"], ["a"])) == "generation"
    with pytest.raises(ValueError, match=r"metrics speed: expected one of accuracy, rouge1, mae"):
        kind_of({"speed": 1.0})


def test_a_composite_is_the_mean_of_two_metrics_and_of_errors_what_is_missing_to_one() -> None:
    assert composite(LABELLED) == pytest.approx(0.4)
    assert composite(LABELLED, "f1_weighted") == pytest.approx(0.45)
    assert composite(WRITTEN) == pytest.approx(0.15)
    assert composite(RATED) == pytest.approx(0.4)
    # Errors are in stars: more than one star off on average is below zero, and is not clamped.
    assert composite({"mae": 1.5, "rmse": 2.0}) == pytest.approx(-0.75)
    assert composite_average({"a": LABELLED, "b": WRITTEN}) == pytest.approx(0.275)


def test_adaptability_is_a_ratio_of_composites() -> None:
    half = {"rouge1": 0.1, "rougeL": 0.05}
    assert adaptability(half, WRITTEN) == pytest.approx(0.5)
    with pytest.raises(ValueError, match="says nothing"):
        adaptability(WRITTEN, {"rouge1": 0, "rougeL": 0})


def test_costs_are_shares_of_the_largest_of_each_task() -> None:
    tasks = [{"a": (10.0, 2.0), "b": (5.0, 8.0)}, {"a": (1.0, 1.0), "b": (1.0, 0.5)}]
    assert composite_cost(tasks) == pytest.approx({"a": ((1 + 0.25) / 2 + 1) / 2, "b": ((0.5 + 1) / 2 + 0.75) / 2})


@pytest.mark.parametrize("tasks", [[], [{"a": (1.0, 1.0)}, {"b": (1.0, 1.0)}], [{"a": (0.0, 1.0)}]])
def test_costs_that_cannot_be_compared(tasks: list[dict[str, tuple[float, float]]]) -> None:
    with pytest.raises(ValueError, match="expected"):
        composite_cost(tasks)


def test_what_is_missing_is_named() -> None:
    with pytest.raises(ValueError, match="lamp_3 has no rmse, only mae"):
        averages({"lamp_3": {"mae": 1.0}})
    with pytest.raises(ValueError, match="no tasks"):
        composite_average({})
