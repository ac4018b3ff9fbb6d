"""Floors: majority, own majority with ties, rounded means, copies, and what has no answer."""

from dataclasses import replace

import pytest

from tailorlm.backbone.prompt import Prompt
from tailorlm.contexts.context import Request
from tailorlm.data.records import Example, Interaction, User
from tailorlm.evaluation.floors import common_answers, floor_copy, floor_majority, floor_user


def user(name: str, *items: tuple[str, str]) -> User:
    return User(name, tuple(Interaction("Ask: x", output, task=task) for task, output in items))


def ask(name: str, task: str, text: str = "Do this: the input: yes") -> Example:
    return Example("q", name, task, text, None)


TRAIN = [
    user("a", ("movie_tagging", "drama"), ("movie_tagging", "comedy "), ("rating", "5"), ("tweet", "hi")),
    user("b", ("movie_tagging", "comedy"), ("rating", "4"), ("rating", "4"), ("rating", "1")),
]


def test_common_answers_are_the_majority_and_the_rounded_mean_of_all() -> None:
    assert common_answers(iter(TRAIN)) == {"movie_tagging": "comedy", "rating": "4"}


def test_a_tie_of_all_goes_to_the_first_in_the_alphabet() -> None:
    assert common_answers([user("a", ("movie_tagging", "space"), ("movie_tagging", "crime"))]) == {
        "movie_tagging": "crime"
    }


def test_half_a_star_rounds_up() -> None:
    assert common_answers([user("a", ("rating", "2"), ("rating", "3"))]) == {"rating": "3"}


def test_the_user_floor_is_the_users_own_with_ties_to_the_latest() -> None:
    tags = ("crime", "space", "space", "crime")
    own = user("u", *(("movie_tagging", tag) for tag in tags), ("rating", "1"))
    common = {"movie_tagging": "drama", "rating": "5"}
    asked = [ask("u", "movie_tagging"), ask("u", "rating")]
    assert floor_user(asked, {"u": own}, common) == ["crime", "1"]
    assert floor_majority(asked, common) == ["drama", "5"]


def test_the_user_floor_falls_back_without_items_of_the_task() -> None:
    users = {"u": user("u", ("movie_tagging", "space"))}
    assert floor_user([ask("u", "rating")], users, {"rating": "3"}) == ["3"]


def test_the_user_floor_is_of_the_items_that_contexts_show() -> None:
    """Those strictly before the query, and those that name no task, as `Request.related` has them."""
    own = [("space", 1.0, "movie_tagging"), ("drama", 2.0, None), ("drama", 3.0, "movie_tagging"), ("4", 4.0, "rating")]
    tied = [("space", 5.0, "movie_tagging"), ("space", 6.0, "movie_tagging")]
    history = tuple(Interaction("Ask: x", output, time, task) for output, time, task in (*own, *tied))
    query = replace(ask("u", "movie_tagging"), time=5.0)
    assert floor_user([query], {"u": User("u", history)}, {}) == ["drama"]
    assert floor_user([replace(query, time=None)], {"u": User("u", history)}, {}) == ["space"]
    assert floor_user([replace(query, time=1.0)], {"u": User("u", history)}, {"movie_tagging": "crime"}) == ["crime"]
    related = Request(query, Prompt(""), history).related
    assert [item.output for item in related] == ["space", "drama", "drama"]


def test_written_tasks_have_the_copy_as_every_floor() -> None:
    asked = [ask("u", "headline"), ask("u", "tweet", "no mark")]
    copies = ["the input: yes", "no mark"]
    assert floor_copy(asked) == copies == floor_majority(asked, {})
    assert floor_user(asked, {"u": user("u", ("tweet", "hi"))}, {}) == copies


def test_floors_know_a_task_by_its_file() -> None:
    common = common_answers([user("a", ("lamp_3", "2"), ("lamp_3", "4"), ("lamp_2m", "comedy"), ("lamp_4", "Rain"))])
    assert common == {"lamp_3": "3", "lamp_2m": "comedy"}


def test_copy_copies_whatever_the_task() -> None:
    assert floor_copy([ask("u", "rating", "Rate this: fine")]) == ["fine"]


def test_what_has_no_floor_is_refused_without_the_text() -> None:
    with pytest.raises(ValueError, match="task 'rating' has no training items: expected one of"):
        floor_majority([ask("u", "rating")], {"movie_tagging": "drama"})
    with pytest.raises(ValueError, match="a history holds no number from 1 to 5") as caught:
        common_answers([user("a", ("rating", "secret"))])
    assert "secret" not in str(caught.value)
