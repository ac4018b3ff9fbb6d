"""What holds for every task that is found: no test here names one."""

from random import Random

import pytest

from tailorlm import plugins
from tailorlm.data.records import Interaction
from tailorlm.tasks.task import Pool, Task

NAMES = plugins.names("tasks")


@pytest.fixture(params=NAMES)
def task(request: pytest.FixtureRequest) -> Task:
    return plugins.find("tasks", request.param).TASK


@pytest.fixture
def golds(task: Task) -> list[str]:
    return list(task.labels or ("a first answer", "A second one! 🔥"))


def test_a_file_is_named_after_its_task() -> None:
    assert "plain" in NAMES
    assert tuple(plugins.find("tasks", name).TASK.name for name in NAMES) == NAMES


def test_labels_are_distinct_and_stripped(task: Task) -> None:
    labels = task.labels or ()
    assert len(set(labels)) == len(labels)
    assert all(label and label == label.strip() for label in labels)
    assert task.labels is None or labels


def test_the_right_answers_score_one(task: Task, golds: list[str]) -> None:
    assert task.score(golds, golds) == [1] * len(golds)


def test_wrong_answers_score_less_and_within_bounds(task: Task, golds: list[str]) -> None:
    scores = task.score(["zzz"] * len(golds), golds)
    assert all(0 <= score < 1 for score in scores)


def test_an_empty_answer_is_scored(task: Task, golds: list[str]) -> None:
    assert all(0 <= score < 1 for score in task.score([""] * len(golds), golds))


def test_metrics_are_named_numbers_whatever_the_answers(task: Task, golds: list[str]) -> None:
    for said in (golds, ["zzz"] * len(golds), [""] * len(golds)):
        found = task.metrics(said, golds)
        assert found
        assert all(isinstance(name, str) and isinstance(value, float) for name, value in found.items())
        assert found.keys() == task.metrics(golds, golds).keys()


@pytest.mark.parametrize("part", ["metrics", "score"])
def test_rows_must_pair_up(task: Task, golds: list[str], part: str) -> None:
    with pytest.raises(ValueError, match="predictions for"):
        getattr(task, part)(golds[:1], golds[:1] * 2)


POOL = Pool(
    (Interaction("written before", "an own title"),),
    (Interaction("what others wrote", "a title of others"), Interaction("", "another title")),
)


def test_a_pair_is_an_input_that_the_prompt_takes_and_splits_without_loss(task: Task) -> None:
    item = Interaction("a text that was given", (task.labels or ("one two three four five",))[0])
    pair = task.pair(item, POOL, Random(0))
    assert pair is not None
    prompt = task.prompt(pair[0])
    assert (prompt.head + prompt.body + prompt.tail).endswith(pair[0])  # a prompt may put words of its own first
    assert prompt.body
    assert prompt.context == prompt.system == ""
    task.score([pair[1]], [pair[1]])


def test_a_pairs_chance_is_its_dice(task: Task) -> None:
    item = Interaction("a text that was given", (task.labels or ("one two three four five",))[0])
    assert task.pair(item, POOL, Random("u@3")) == task.pair(item, POOL, Random("u@3"))


def test_an_item_without_text_and_answer_makes_no_pair(task: Task) -> None:
    assert task.pair(Interaction("", ""), Pool(), Random(0)) is None


def test_a_task_is_described_in_one_sentence(task: Task) -> None:
    assert task.description[0].isupper()
    assert task.description.endswith(".")
    assert task.description.count(". ") == 0
    assert len({plugins.find("tasks", name).TASK.description for name in NAMES}) == len(NAMES)


def test_an_item_can_be_searched_and_shown(task: Task) -> None:
    item = Interaction("some words given", "what came of it")
    assert "came" in task.retrieval.shown(item)
    assert task.retrieval.document(item).strip()
    assert task.retrieval.document(Interaction("", "only this")).strip() in ("", "only this")
    pair = task.pair(Interaction("a text that was given", (task.labels or ("a b c d e",))[0]), POOL, Random(0))
    assert pair is not None
    assert task.retrieval.query(pair[0])


def test_answers_have_room(task: Task) -> None:
    assert task.max_new_tokens >= 4
    assert all(len(label.split()) * 2 <= task.max_new_tokens for label in task.labels or ())
