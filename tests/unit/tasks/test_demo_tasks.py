"""The demo's four tasks, and the ways to split an input."""

from importlib import import_module
from random import Random

import pytest

from tailorlm.backbone.prompt import Prompt
from tailorlm.data.records import Interaction
from tailorlm.tasks.task import Pool, Task, after, asked, chosen, framed

INPUTS = {
    "movie_tagging": ("Tag this movie: ", "a lost map, a slow dance", ". Tags: romance, adventure"),
    "rating": ("Rate this review from 1 to 5: ", "the plot was fine, the cast was weak", ""),
    "headline": ("Write a headline: ", "rain delays the match on monday", ""),
    "tweet": ("Write a post: ", "my bike was late this morning", ""),
}


def demo(name: str) -> Task:
    return import_module(f"tailorlm.tasks.{name}").TASK


@pytest.mark.parametrize("name", INPUTS)
def test_the_text_is_the_body_and_the_question_is_not(name: str) -> None:
    head, body, tail = INPUTS[name]
    assert demo(name).prompt(head + body + tail) == Prompt(body, head=head, tail=tail)


@pytest.mark.parametrize("name", INPUTS)
def test_another_form_of_input_is_all_body(name: str) -> None:
    assert demo(name).prompt("something else") == Prompt("something else")


@pytest.mark.parametrize("name", [*INPUTS, "plain"])
def test_items_are_pairs_already(name: str) -> None:
    out = "drama" if name == "movie_tagging" else "out"
    assert demo(name).pair(Interaction("in", out), Pool(), Random(0)) == ("in", out)
    assert demo(name).pair(Interaction("in", " "), Pool(), Random(0)) is None


def test_a_tag_that_is_none_of_the_tags_makes_no_pair() -> None:
    assert demo("movie_tagging").pair(Interaction("in", "western"), Pool(), Random(0)) is None


def test_the_generator_asks_in_the_form_that_the_tasks_split() -> None:
    population = pytest.importorskip("tailorlm.demo.population")
    [member] = population.population("random", 1, 0)
    asked = [*member.user.history, *member.queries]
    assert {item.task for item in asked} == INPUTS.keys()
    for item in asked:
        prompt = demo(item.task or "").prompt(item.input)
        head, _, tail = INPUTS[item.task or ""]
        assert prompt.head == head
        assert bool(prompt.tail) == bool(tail)
        assert prompt.body


def test_the_generator_uses_the_openers_that_the_tweet_task_tells_apart() -> None:
    traits = pytest.importorskip("tailorlm.demo.traits")
    assert {opener for opener in traits.OPENERS if opener} == set(import_module("tailorlm.tasks.tweet").OPENERS)


def test_movie_tagging_counts_answers_that_are_no_tag() -> None:
    found = demo("movie_tagging").metrics(["comedy", "funny"], ["comedy", "crime"])
    assert (found["accuracy"], found["invalid"]) == (0.5, 1)


def test_rating_scores_nearness() -> None:
    assert demo("rating").score(["5", "?"], ["4", "1"]) == [0.75, 0]


def test_headline_tells_the_attributes_apart() -> None:
    found = demo("headline").metrics(["RAIN IS BACK."], ["RAIN IS BACK!"])
    assert (found["exact_match"], found["case"], found["ending"], found["length"]) == (0, 1, 0, 1)


def test_tweet_tells_the_attributes_apart() -> None:
    found = demo("tweet").metrics(["wow the bus was late 🔥"], ["honestly the bus was late 🔥"])
    assert (found["exact_match"], found["opener"], found["emoji"], found["length"]) == (0, 0, 1, 1)


def test_framed_takes_the_last_closing_and_needs_both_ends() -> None:
    prompt = framed("Q: ", " | ")
    assert prompt("Q: a | b | c") == Prompt("a | b", head="Q: ", tail=" | c")
    assert prompt("Q: a") == Prompt("Q: a")
    assert framed("Q: ")("Q: a") == Prompt("a", head="Q: ")


def test_after_takes_the_first_marker() -> None:
    assert after("x: ", "t")("ask x: a x: b") == Prompt("a x: b", head="ask x: ")


def test_asked_and_chosen() -> None:
    assert asked("Q: ")(Interaction("a", "b"), Pool(), Random(0)) == ("Q: a", "b")
    assert asked("Q: ")(Interaction(" ", "b"), Pool(), Random(0)) is None
    assert chosen("Q: ", ("b",))(Interaction("a", "b"), Pool(), Random(0)) == ("Q: a", "b")
    assert chosen("Q: ", ("b",))(Interaction("a", "c"), Pool(), Random(0)) is None
