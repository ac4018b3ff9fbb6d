"""Templates: the same question in each family's words; what may be shortened, is scored and is searched stays."""

import random

import pytest

from tailorlm.assembly.datasets import task_of
from tailorlm.assembly.wordings import asked_as
from tailorlm.data.longlamp import review_input
from tailorlm.data.records import Interaction
from tailorlm.plugins import find, names
from tailorlm.tasks import lamp_1, lamp_2m, lamp_7
from tailorlm.tasks.task import Pool

TITLE = 'On "quoted" words: a study'
INPUTS = {
    "lamp_1": f'{lamp_1.OPENING}{TITLE}{lamp_1.CLOSING}{lamp_1.ANSWERS}[1]: "Left [2] paper" [2]: "Right paper"',
    "lamp_2m": lamp_2m.INSTRUCTION + "A tale of description: two cities.",
    "lamp_2n": find("tasks", "lamp_2n").INSTRUCTION + "An article.",
    "lamp_3": find("tasks", "lamp_3").INSTRUCTION + "A review: fine.",
    "lamp_4": find("tasks", "lamp_4").INSTRUCTION + "News of the day.",
    "lamp_5": find("tasks", "lamp_5").INSTRUCTION + "We show that.",
    "lamp_7": "Paraphrase the following tweet without any explanation before or after it: I am at home.",
    "longlamp_abstract": f'Generate an abstract for the title "{TITLE}" using the following items: one, two.',
    "longlamp_topic": "Generate the content for a blog post that opens with: My garden.",
    "longlamp_review": review_input({"overall": "4", "description": 'A "red" pen', "summary": "good"}, ""),
    "empathic": "article 12",
}
BODIES = {
    "lamp_1": TITLE, "lamp_2m": "A tale of description: two cities.", "lamp_2n": "An article.",
    "lamp_3": "A review: fine.", "lamp_4": "News of the day.", "lamp_5": "We show that.", "lamp_7": "I am at home.",
    "longlamp_abstract": TITLE, "longlamp_topic": "My garden.", "longlamp_review": 'A "red" pen',
    "empathic": "article 12",
}  # fmt: skip
CASES = [(family, task) for family in ("p2p", "prisp") for task in find("templates", family).TEMPLATE]


def test_the_families():
    assert names("templates") == ("official", "p2p", "prisp")
    assert not find("templates", "official").TEMPLATE
    assert set(find("templates", "p2p").TEMPLATE) == set(INPUTS)
    assert set(find("templates", "prisp").TEMPLATE) == {f"lamp_{name}" for name in ("1", "2m", "3", "4", "5", "7")}


def test_official_is_the_task_itself():
    for name in INPUTS:
        assert asked_as("official")(name) is task_of(name)
    assert asked_as("p2p")("personal_reddit") is task_of("personal_reddit")
    assert asked_as("prisp")("lamp_2n") is task_of("lamp_2n")


@pytest.mark.parametrize(("family", "name"), CASES)
def test_the_long_part_is_the_body_and_the_words_are_the_family_s(family, name):
    task, worded = task_of(name), asked_as(family)(name)
    said = worded.prompt(INPUTS[name])
    assert said.body == BODIES[name]
    assert (said.head, said.tail) != (task.prompt(INPUTS[name]).head, task.prompt(INPUTS[name]).tail)
    mark = ("#", "# Answer:\n") if family == "p2p" else ("User Instruction: ", ":")
    assert said.head.startswith(mark[0]) and said.tail.endswith(mark[1])


@pytest.mark.parametrize(("family", "name"), CASES)
def test_only_what_is_asked_changes(family, name):
    task, worded = task_of(name), asked_as(family)(name)
    for part in ("name", "labels", "pair", "metrics", "score", "retrieval", "max_new_tokens", "description"):
        assert getattr(task, part) is getattr(worded, part)
    assert asked_as(family)(name) is worded


@pytest.mark.parametrize(("family", "name"), CASES)
def test_history_items_make_pairs_in_the_same_form_as_queries(family, name):
    worded = asked_as(family)(name)
    said = INPUTS[name] if name in ("longlamp_review", "empathic") else BODIES[name]
    target = worded.labels[0] if worded.labels and name != "lamp_1" else "some five words of answer"
    pool = Pool((Interaction("", "Own title", None, name),), (Interaction("", "Another title", None, name),))
    pair = worded.pair(Interaction(said, target, None, name), pool, random.Random(0))
    assert pair is not None
    query, item = worded.prompt(INPUTS[name]), worded.prompt(pair[0])
    if name not in ("lamp_1", "lamp_7", "longlamp_abstract"):
        assert (item.head, item.tail) == (query.head, query.tail)
    assert item.head[:8] == query.head[:8] and item.tail[-8:] == query.tail[-8:]


@pytest.mark.parametrize("family", ["p2p", "prisp"])
def test_candidates_stay_in_order_and_whole(family):
    said = asked_as(family)("lamp_1").prompt(INPUTS["lamp_1"]).tail
    assert said.index("[1]") < said.index("Left [2] paper") < said.rindex("[2]", 0, said.index("Right")) < len(said)


def test_every_label_is_offered_once_and_in_the_official_order():
    for family in ("p2p", "prisp"):
        head = asked_as(family)("lamp_2m").prompt(INPUTS["lamp_2m"]).head
        assert ", ".join(lamp_2m.LABELS) in head


@pytest.mark.parametrize("family", ["p2p", "prisp"])
def test_a_tweet_of_the_history_is_completed_and_not_paraphrased(family):
    tweets = asked_as(family)("lamp_7")
    half, _ = tweets.pair(Interaction("", "one two three four"), Pool(), random.Random(0))
    assert half.startswith(lamp_7.COMPLETE)
    assert "omplete" in tweets.prompt(half).head and "omplete" not in tweets.prompt(INPUTS["lamp_7"]).head


def test_p2p_parts_of_long_inputs():
    p2p = asked_as("p2p")
    assert "# Key Items:\none, two\n" in p2p("longlamp_abstract").prompt(INPUTS["longlamp_abstract"]).tail
    bare = p2p("longlamp_abstract").prompt('Generate an abstract for the title "Bare".')
    assert bare.body == "Bare" and "Key Items" not in bare.tail
    review = p2p("longlamp_review").prompt(INPUTS["longlamp_review"])
    assert "# Overall Rating:\n4\n" in review.head and "# Review Summary:\ngood\n" in review.tail


def test_another_form_of_input_is_left_as_it_is():
    odd = "Say something about this pen."
    assert asked_as("p2p")("longlamp_review").prompt(odd).messages() == [{"role": "user", "content": odd}]
    torn = 'Generate an abstract for the title "A" and then some'
    assert asked_as("p2p")("longlamp_abstract").prompt(torn).messages()[0]["content"] == torn


def test_an_unknown_family_names_the_nearest():
    with pytest.raises(ValueError, match="did you mean prisp"):
        asked_as("prsp")
