"""LongLaMP, Personal Reddit and the empathic reactions: their inputs split, their items asked as queries are."""

import os
from importlib import import_module
from pathlib import Path
from random import Random

import pytest

from tailorlm.data.load import load
from tailorlm.data.longlamp import REDDIT
from tailorlm.data.records import Interaction
from tailorlm.tasks.longlamp_topic import OPENING
from tailorlm.tasks.task import Pair, Pool, Task

SHARED = Path(os.environ.get("TAILORLM_SHARED", Path(__file__).parents[4] / "shared"))
FOLDERS = {
    "longlamp_abstract": "longlamp_abstract_generation",
    "longlamp_topic": "longlamp_topic_writing",
    "longlamp_review": "longlamp_product_review",
    "personal_reddit": "personal_reddit",
    "empathic": "empathic",
}
REVIEW = (
    'Generate the review text written by a reviewer who has given an overall rating of "4" for a product with '
    'description "A "quiet" film". The summary of the review text is "Fresh".'
)


def named(name: str) -> Task:
    return import_module(f"tailorlm.tasks.{name}").TASK


def pair(name: str, item: Interaction) -> Pair | None:
    return named(name).pair(item, Pool(), Random(0))


def test_a_title_is_asked_in_the_official_words() -> None:
    asked, answer = pair("longlamp_abstract", Interaction('On "Words"', "We show.")) or ("", "")
    assert (asked, answer) == ('Generate an abstract for the title "On "Words"".', "We show.")
    query = 'Generate an abstract for the title "T" using the following items: a, b.'
    assert pair("longlamp_abstract", Interaction(query, "We.")) == (query, "We.")
    assert named("longlamp_abstract").prompt(query).body == 'T" using the following items: a, b.'
    with pytest.raises(ValueError, match="task longlamp_abstract: .*official") as refused:
        named("longlamp_abstract").prompt("my secret")
    assert "secret" not in str(refused.value)


def test_only_a_products_description_may_be_shortened() -> None:
    task = named("longlamp_review")
    prompt = task.prompt(REVIEW)
    assert prompt.body == 'A "quiet" film'
    assert prompt.head + prompt.body + prompt.tail == REVIEW
    item = Interaction(REVIEW, "I liked it.")
    assert pair("longlamp_review", item) == (REVIEW, "I liked it.")
    assert task.retrieval.shown(item) == 'Rating: 4\nProduct: A "quiet" film\nSummary: Fresh\nReview: I liked it.'
    assert task.retrieval.query(REVIEW) == 'A "quiet" film'
    assert task.retrieval.document(item) == 'A "quiet" film I liked it.'
    assert task.retrieval.shown(Interaction("other words", "Good.")) == "Product: other words\nReview: Good."


def test_topics_in_the_hubs_words_are_their_own_pairs_and_searched_without_them() -> None:
    task, hub = named("longlamp_topic"), Interaction(f"{REDDIT}cats", "They purr.")
    assert pair("longlamp_topic", hub) == (f"{REDDIT}cats", "They purr.")
    assert pair("longlamp_topic", Interaction("cats", "They purr.")) == (f"{OPENING}cats", "They purr.")
    assert pair("longlamp_topic", Interaction("cats", " ")) is None
    for asked in (f"{REDDIT}cats", f"{OPENING}cats"):
        prompt = task.prompt(asked)
        assert (prompt.body, prompt.head + prompt.body + prompt.tail) == ("cats", asked)
        assert task.retrieval.query(asked) == "cats"
    assert task.retrieval.document(hub) == "cats They purr."
    assert task.retrieval.shown(hub) == "Topic: cats\nPost: They purr."
    assert task.prompt("other words").body == "other words"


def test_an_essay_is_asked_for_in_words() -> None:
    prompt = named("empathic").prompt("article 56")
    assert prompt.body == "article 56"
    assert prompt.head.startswith("Write a short essay")
    assert pair("empathic", Interaction("article 56", "Sad.")) == ("article 56", "Sad.")


@pytest.mark.parametrize("name", FOLDERS)
def test_every_query_and_item_at_hand_is_asked(name: str) -> None:
    folder = SHARED / "data" / FOLDERS[name]
    if not folder.exists():
        pytest.skip(f"no {folder} (set TAILORLM_SHARED to the folder with data/)")
    dataset, task = load(folder, split="dev"), named(name)
    assert {query.task for query in dataset.examples} == {name}
    heads = {task.prompt(query.input).head.partition('"')[0] for query in dataset.examples}
    assert len(heads) == 1
    for user in list(dataset.users.values())[:20]:
        for item in user.history:
            made = task.pair(item, Pool(), Random(0))
            assert made is not None
            assert task.prompt(made[0]).head.partition('"')[0] in heads
            assert task.retrieval.document(item)
            assert item.output in task.retrieval.shown(item)
    assert all(task.retrieval.query(query.input).strip() for query in dataset.examples)
