"""Small tasks: enough of them, each solvable from its description, held-out ones apart, imprecise ones imprecise."""

from collections import Counter
from random import Random

import pytest

from tailorlm.demo.small_task_families import FAMILIES
from tailorlm.demo.small_task_words import OPENINGS, PHRASES, RESERVED, VAGUE
from tailorlm.demo.small_tasks import keys, small_tasks, worded

BY_NAME = {family.name: family for family in FAMILIES}


@pytest.fixture(scope="module", params=[0, 7])
def tasks(request):
    return small_tasks(request.param, examples=20, queries=4)


def values_of(task):
    return dict(zip(BY_NAME[task.family].axes, task.values, strict=True))


def test_there_are_over_a_hundred_and_twenty_are_held_out(tasks):
    count = Counter(task.split for task in tasks)
    assert count["seen"] >= 100
    assert (count["composed"], count["new"]) == (12, 8)
    assert len({task.name for task in tasks}) == len(tasks)
    assert {task.family for task in tasks if task.split == "composed"} == set(BY_NAME)


def test_composed_tasks_have_seen_values_in_unseen_pairs_and_new_ones_an_unseen_value(tasks):
    seen = [task for task in tasks if task.split == "seen"]
    for family in FAMILIES:
        known = [values_of(task) for task in seen if task.family == family.name]
        singles = {(axis, values[axis]) for values in known for axis in values}
        together = {tuple(values[axis] for axis in family.pair) for values in known}
        for task in tasks:
            if task.family != family.name or task.split == "seen":
                continue
            unknown = set(values_of(task).items()) - singles
            if task.split == "composed":
                assert not unknown
                assert tuple(values_of(task)[axis] for axis in family.pair) not in together
            else:
                assert {axis for axis, _ in unknown} == {family.new_axis}


def test_descriptions_are_ten_different_ones_and_unseen_ones_share_no_phrase_with_training(tasks):
    training = {text for task in tasks for text in task.descriptions}
    for task in tasks:
        assert (len(task.descriptions), len(task.reworded), len(task.unseen)) == (8, 2, 2)
        assert len({*task.descriptions, *task.reworded, *task.unseen}) == 12
        assert not training & {*task.reworded, *task.unseen, task.vague}
        values = values_of(task)
        known = [phrase.format(**values) for key in keys(values) for phrase in PHRASES[key][:-RESERVED]]
        assert not any(phrase in text for phrase in known for text in task.unseen)


def test_no_phrase_says_two_things():
    said = Counter(phrase for phrases in [*PHRASES.values(), *OPENINGS.values()] for phrase in phrases)
    assert max(said.values()) == 1
    assert {len(phrases) for phrases in [*PHRASES.values(), *OPENINGS.values()]} == {7}
    assert set(VAGUE) == set(PHRASES)
    assert len(set(VAGUE.values())) == len(VAGUE)


def test_no_two_tasks_are_said_alike_or_do_the_same(tasks):
    said = Counter(text for task in tasks for text in (*task.descriptions, *task.reworded, *task.unseen))
    assert max(said.values()) == 1
    for family in FAMILIES:
        own = [task for task in tasks if task.family == family.name]
        inputs = [item.input for task in own for item in task.examples[:10]]
        answers = {task.name: tuple(redone(family, task, n) for n in range(len(inputs))) for task in own}
        assert len(set(answers.values())) == len(own)


def redone(family, task, n):
    """What the task answers to the n-th of a stream of inputs that all tasks of a family without a tag share."""
    return family.make(values_of(task), Random(n))


def test_a_partial_description_lacks_one_axis_and_a_vague_one_has_no_phrase(tasks):
    for task in tasks:
        values = values_of(task)
        told = [key for key in keys(values) if any(p.format(**values) in task.partial for p in PHRASES[key])]
        assert len(told) == len(keys(values)) - 1
        assert not any(p.format(**values) in task.vague for key in keys(values) for p in PHRASES[key])


def test_queries_are_none_of_the_examples_and_answers_are_not_constant(tasks):
    for task in tasks:
        assert not {item.input for item in task.examples} & {query.input for query in task.queries}
        assert (len(task.examples), len(task.queries)) == (20, 4)
        assert len({item.output for item in task.examples}) > 1
        assert {item.task for item in task.examples} == {task.family}
        assert {query.user_id for query in task.queries} == {task.name}


def test_the_same_seed_gives_the_same_tasks_and_another_seed_others(tasks):
    first, second = small_tasks(3, 4, 2), small_tasks(3, 4, 2)
    assert first == second
    held = [{task.name for task in small_tasks(seed, 4, 2) if task.split != "seen"} for seed in (3, 4)]
    assert held[0] != held[1]
    more = {task.name: task for task in small_tasks(3, 9, 2)}
    assert all(more[task.name].descriptions == task.descriptions for task in first)


@pytest.mark.parametrize(
    "family, values, texts",
    [
        ("headline", ("upper", "ellipsis", "short"), "MARKET..."),
        ("tweet", ("ok-so", "fire", "full"), "ok so "),
    ],
)
def test_answers_do_what_the_values_say(family, values, texts):
    made = BY_NAME[family]
    answers = [made.make(dict(zip(made.axes, values, strict=True)), Random(n))[1] for n in range(200)]
    assert any(texts in answer for answer in answers)
    if family == "headline":
        assert all(answer.isupper() and answer.endswith("...") for answer in answers)
    else:
        assert all(answer.startswith("ok so ") and answer.endswith(" 🔥") for answer in answers)


@pytest.mark.parametrize("rule", ["prefer", "avoid"])
def test_a_movies_rule_is_about_its_tag(rule):
    named = 0
    for n in range(200):
        text, answer = BY_NAME["movie_tagging"].make({"rule": rule, "tag": "crime", "otherwise": "last"}, Random(n))
        listed = text.split("Tags: ")[1].split(", ")
        named += "crime" in listed
        expected = [one for one in listed if one != "crime"][-1]
        assert answer == ("crime" if rule == "prefer" and "crime" in listed else expected)
        assert len(set(listed)) == len(listed)
    assert 90 < named < 150


def test_turned_stars_are_backwards():
    family = BY_NAME["rating"]
    turned, plain = ({"shift": "fair", "spread": spread} for spread in ("turned", "usual"))
    for n in range(50):
        text, stars = family.make(turned, Random(n))
        assert (text, str(6 - int(stars))) == family.make(plain, Random(n))


def test_worded_keeps_every_phrase():
    text = worded("open", ["a {tag}", "b"], {"tag": "drama"}, Random(0))
    assert text.startswith("open") and "a drama" in text and "b" in text and text.endswith(".")
