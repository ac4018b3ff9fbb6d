"""ROUGE without stemmer and exact match against numbers worked out by hand."""

import pytest

from tailorlm.metrics.text import rouge_rows, rouge_score, text_scores


def test_hand_worked_rows() -> None:
    # 2 of 4 answered and 2 of 3 gold words: F1 4/7. In order: "the cat", the same.
    rows = rouge_rows(["the big cat slept", "b a"], ["the cat ran", "a b"])
    assert rows["rouge1"] == pytest.approx([4 / 7, 1])
    assert rows["rougeL"] == pytest.approx([4 / 7, 1 / 2])
    assert rouge_score(["b a"], ["a b"]) == pytest.approx([3 / 4])


def test_means_over_rows() -> None:
    scores = text_scores(["b a", "x"], ["a b", " x\n"])
    assert scores == pytest.approx({"rouge1": 1, "rougeL": 3 / 4, "exact_match": 1 / 2, "invalid": 0})


def test_no_stemmer() -> None:
    assert rouge_score(["cats running"], ["cat run"]) == [0]


def test_rouge_sees_no_case_or_punctuation_and_exact_match_does() -> None:
    scores = text_scores(["Hello, world!"], ["hello world"])
    assert scores == {"rouge1": 1, "rougeL": 1, "exact_match": 0, "invalid": 0}


def test_texts_without_latin_words_score_zero() -> None:
    assert rouge_score(["", "🔥", "снег"], ["", "🔥", "снег"]) == [0, 0, 0]


def test_empty_answers_are_counted() -> None:
    assert text_scores(["", " \n", "x"], ["x", "x", "x"])["invalid"] == 2


def test_rows_must_pair_up() -> None:
    with pytest.raises(ValueError, match="no rows"):
        text_scores([], [])
    with pytest.raises(ValueError, match="1 predictions for 2"):
        rouge_rows(["a"], ["a", "b"])
