"""ROUGE without stemmer and exact match against numbers worked out by hand."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rouge_score.rouge_scorer import RougeScorer

from tailorlm.metrics.text import longest_common, rouge_rows, rouge_score, text_scores

TEXTS = st.lists(st.sampled_from(["a", "b", "c", "Été", "it's", "x-1", "🔥", ".", "A"]), max_size=40).map(" ".join)


def test_hand_worked_rows() -> None:
    # 2 of 4 answered and 2 of 3 gold words: F1 4/7. In order: "the cat", the same.
    rows = rouge_rows(["the big cat slept", "b a"], ["the cat ran", "a b"])
    assert rows["rouge1"] == pytest.approx([4 / 7, 1])
    assert rows["rougeL"] == pytest.approx([4 / 7, 1 / 2])
    assert rouge_score(["b a"], ["a b"]) == pytest.approx([3 / 4])


@settings(max_examples=150, deadline=None)
@given(TEXTS, TEXTS)
def test_every_row_is_rouge_scores_to_the_bit(said: str, gold: str) -> None:
    theirs = RougeScorer(["rouge1", "rougeL"], use_stemmer=False).score(gold, said)
    ours = rouge_rows([said], [gold])
    assert {kind: row[0] for kind, row in ours.items()} == {kind: f.fmeasure for kind, f in theirs.items()}


def test_common_subsequences_by_hand() -> None:
    assert longest_common("abcbdab", "bdcaba") == 4
    assert longest_common(["a"] * 500, ["a"] * 300) == 300
    assert longest_common([], ["a"]) == longest_common(["a"], []) == longest_common(["a"], ["b"]) == 0


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
