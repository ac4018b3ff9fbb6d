"""Scores per row: the rules of LaMP, ends of the scale, refusals that never repeat a user's text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailorlm.evaluation.scores import Answer, attributes, is_rating, score_answers


@pytest.mark.parametrize("task", ["movie_tagging", "headline", "tweet"])
def test_exact_match_strips_and_keeps_case(task: str) -> None:
    outputs = [" comedy\n", "Comedy", "", "comedies"]
    assert score_answers(task, outputs, ["comedy"] * 4) == [1.0, 0.0, 0.0, 0.0]


def test_rating_is_one_minus_error_over_four() -> None:
    assert score_answers("rating", ["5", "4.0", " 1 ", "3"], ["5", "5", "5", "1"]) == [1.0, 0.75, 0.0, 0.5]


@pytest.mark.parametrize("output", ["", "great", "nan", "inf", "-inf", "0", "6", "five", "4 stars"])
def test_what_is_no_rating_is_the_farthest_extreme(output: str) -> None:
    assert score_answers("rating", [output] * 5, ["1", "2", "3", "4", "5"]) == [0.0, 0.25, 0.5, 0.25, 0.0]


@given(st.lists(st.tuples(st.text(), st.integers(1, 5)), min_size=1, max_size=20))
def test_every_score_is_in_range(rows: list[tuple[str, int]]) -> None:
    scores = score_answers("rating", [out for out, _ in rows], [str(gold) for _, gold in rows])
    assert len(scores) == len(rows) and all(0.0 <= score <= 1.0 for score in scores)


def test_refusals_name_the_place_and_never_the_text() -> None:
    with pytest.raises(ValueError, match="target of row 1 is no rating") as caught:
        score_answers("rating", ["1", "2"], ["3", "secret"])
    assert "secret" not in str(caught.value)
    with pytest.raises(ValueError, match="2 predictions for 1 targets"):
        score_answers("rating", ["1", "2"], ["3"])


def test_other_tasks_are_scored_by_their_own_file_and_unknown_ones_as_plain_text() -> None:
    assert score_answers("lamp_3", ["4"], ["5"]) == [0.75] and is_rating("lamp_3")
    assert score_answers("lamp_2m", ["comedy"], ["comedy"]) == [1.0] and not is_rating("lamp_2m")
    assert score_answers("my_poems", ["a red rose"], ["a red tulip"])[0] == pytest.approx(2 / 3)
    assert score_answers(None, ["rose"], ["rose"]) == [1.0]


def test_attributes_of_written_tasks() -> None:
    golds = ["Rain Delays The Match!", "Fire Opens A Garden"]
    assert attributes("headline", ["rain delays the match!", golds[1]], golds) == {
        "case": 0.5,
        "ending": 1.0,
        "length": 1.0,
    }
    posts = ["wow my bike was late 🔥", "my bike was late at noon"]
    found = attributes("tweet", [posts[0], "my bike was late 🔥"], posts)
    assert found == {"opener": 1.0, "emoji": 0.5, "length": 0.5}
    assert attributes("rating", ["3"], ["4"]) == {}


def test_an_answer_is_frozen() -> None:
    answer = Answer("e", "u", "rating", "3", "4", 0.75)
    with pytest.raises(AttributeError):
        answer.score = 1.0  # type: ignore[misc]
