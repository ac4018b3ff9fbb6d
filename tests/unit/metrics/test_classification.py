"""Accuracy and F1 against numbers worked out by hand."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailorlm.metrics.classification import classification, label_score, matches

LABELS = ("a", "b", "c")


def test_hand_worked_rows() -> None:
    # a: precision 1, recall 1/2, F1 2/3; b: precision 1/2, recall 1, F1 2/3; c never occurs: 0.
    scores = classification(["a", "b", "b"], ["a", "a", "b"], LABELS)
    assert scores == pytest.approx({"accuracy": 2 / 3, "f1_macro": 4 / 9, "f1_weighted": 2 / 3, "invalid": 0})


def test_macro_runs_over_the_full_label_list() -> None:
    assert classification(["a"], ["a"], LABELS)["f1_macro"] == pytest.approx(1 / 3)
    assert classification(["a"], ["a"], ("a",))["f1_macro"] == 1


def test_macro_and_weighted_differ_on_rare_labels() -> None:
    # a: precision 3/4, recall 1, F1 6/7; b: 0. Weighted by 3 and 1 golds.
    scores = classification(["a"] * 4, ["a", "a", "a", "b"], ("a", "b"))
    assert scores["f1_macro"] == pytest.approx(3 / 7)
    assert scores["f1_weighted"] == pytest.approx(9 / 14)


def test_an_unknown_answer_is_wrong_and_counted_and_no_false_positive_of_a_label() -> None:
    # a: precision 1, recall 1/2, F1 2/3.
    scores = classification(["a", "the tag is a"], ["a", "a"], ("a",))
    assert scores == pytest.approx({"accuracy": 0.5, "f1_macro": 2 / 3, "f1_weighted": 2 / 3, "invalid": 1})


@pytest.mark.parametrize(("said", "right"), [(" a\n", 1), ("A", 0), ("a.", 0), ("", 0), ("a b", 0)])
def test_match_is_exact_after_strip(said: str, right: float) -> None:
    assert matches([said], ["a"]) == [right]
    assert classification([said], ["a"], LABELS)["accuracy"] == right


def test_labels_of_several_words() -> None:
    assert classification(["food & drink"], ["food & drink"], ("food & drink", "food"))["accuracy"] == 1


@given(st.permutations(range(6)))
def test_the_order_of_rows_is_nothing(order: list[int]) -> None:
    said, golds = ["a", "b", "c", "x", "a", "b"], ["a", "a", "c", "b", "c", "b"]
    moved = classification([said[i] for i in order], [golds[i] for i in order], LABELS)
    assert moved == pytest.approx(classification(said, golds, LABELS))


def test_refusals_say_what_and_where_but_not_the_text() -> None:
    with pytest.raises(ValueError, match=r"target of row 1 .* a, b, c") as refused:
        classification(["a", "a"], ["a", "secret"], LABELS)
    assert "secret" not in str(refused.value)
    with pytest.raises(ValueError, match="1 predictions for 2 targets"):
        classification(["a"], ["a", "b"], LABELS)
    with pytest.raises(ValueError, match="no rows"):
        classification([], [], LABELS)
    with pytest.raises(ValueError, match="each once"):
        classification(["a"], ["a"], ("a", "a"))
    with pytest.raises(ValueError, match="at least one"):
        classification(["a"], ["a"], ())


def test_a_target_that_is_no_label_has_no_score():
    score = label_score(("a", "b"))
    assert score(["a", "b "], [" a", "a"]) == [1.0, 0.0]
    with pytest.raises(ValueError, match="target of row 1 is no label of the task: expected one of a, b"):
        score(["a", "a"], ["a", "c"])
