"""LaMP's tasks on official input strings: written out here, and on all of the data that is at hand."""

import gzip
import json
import os
from importlib import import_module
from pathlib import Path
from random import Random
from typing import Any

import pytest

from tailorlm.data.records import Interaction
from tailorlm.data.titled import titled
from tailorlm.tasks.task import Pool, Task

SHARED = Path(os.environ.get("TAILORLM_SHARED", Path(__file__).parents[4] / "shared"))
FIELDS = {
    "2m": ("description", "tag"),
    "2n": ("text", "category"),
    "3": ("text", "score"),
    "4": ("text", "title"),
    "5": ("abstract", "title"),
    "6": ("text", "title"),
}
CITATION = (
    'For an author who has written the paper with the title "On "Quoted" Words", which reference is related? '
    'Just answer with [1] or [2] without explanation. [1]: "One" [2]: "Two"'
)


def lamp(name: str) -> Task:
    return import_module(f"tailorlm.tasks.lamp_{name}").TASK


def read(name: str, part: str) -> Any:
    folder = SHARED / "data" / f"LaMP_{name.upper()}"
    path = folder / f"{part}.json"
    if path.exists():
        return json.loads(path.read_text())
    packed = folder / f"{part}.json.gz"
    if not packed.exists():
        pytest.skip(f"no {path} (set TAILORLM_SHARED to the folder with data/)")
    return json.loads(gzip.decompress(packed.read_bytes()))


def test_only_the_citing_title_may_be_shortened() -> None:
    prompt = lamp("1").prompt(CITATION)
    assert prompt.body == 'On "Quoted" Words'
    assert prompt.tail.startswith('", which reference is related?')
    assert prompt.tail.endswith('[1]: "One" [2]: "Two"')
    assert prompt.head + prompt.body + prompt.tail == CITATION


PAPERS = tuple(Interaction("", f"Paper {n}") for n in range(20))
OWN = tuple(Interaction("", f"Own {n}") for n in range(9))


def cited(
    item: Interaction, others: tuple[Interaction, ...], seed: object = 0, earlier: tuple[Interaction, ...] = OWN
) -> tuple[str, str] | None:
    return lamp("1").pair(item, Pool(earlier, others), Random(str(seed)))


def candidates(question: str, answer: str) -> tuple[str, str]:
    """(right, wrong)"""
    first, second = question.partition('[1]: "')[2].removesuffix('"').split('" [2]: "')
    return (first, second) if answer == "[1]" else (second, first)


@pytest.mark.parametrize("pool", [(), (Interaction("other text", "a title"),), OWN[:2], (Interaction("", " "),)])
def test_a_paper_makes_no_citation_pair_without_another_paper(pool: tuple[Interaction, ...]) -> None:
    with pytest.raises(
        ValueError, match=rf"lamp_1: .* negative reference, and the pool of {len(pool)} items"
    ) as refused:
        cited(Interaction("an abstract", "a title"), pool)
    assert "a title" not in str(refused.value)


def test_a_papers_pair_is_the_official_question_with_an_earlier_paper_and_a_negative_from_the_pool() -> None:
    item, answers, positives, negatives = Interaction("", 'On "Quoted" Words'), set(), set(), set()
    for seed in range(60):
        question, answer = cited(item, PAPERS, seed) or ("", "")
        assert lamp("1").prompt(question).body == item.output
        right, wrong = candidates(question, answer)
        answers.add(answer)
        positives.add(right)
        negatives.add(wrong)
    assert answers == {"[1]", "[2]"}
    assert positives == {paper.output for paper in OWN}
    assert negatives <= {paper.output for paper in PAPERS} and len(negatives) > 10


def test_a_pair_never_names_the_title_that_it_asks_about() -> None:
    item, again = Interaction("", "mine"), Interaction("another abstract", " mine ")
    for seed in range(40):
        assert "mine" not in candidates(*cited(item, (*PAPERS[:1], again), seed, (again, OWN[0])))
    assert cited(item, PAPERS, 0, (again,)) is None


def test_a_first_paper_makes_no_pair_and_papers_of_another_task_are_none() -> None:
    assert cited(Interaction("", "mine", None, "lamp_1"), PAPERS, 0, ()) is None
    assert (
        cited(Interaction("", "mine", None, "lamp_1"), PAPERS, 0, (Interaction("x", "headline", 0, "lamp_4"),)) is None
    )


def test_a_question_among_the_papers_stands_for_the_paper_that_it_is_about() -> None:
    asked = Interaction(CITATION, "[2]")
    assert candidates(*cited(OWN[8], PAPERS, 0, (asked,)))[0] == 'On "Quoted" Words'
    assert candidates(*cited(OWN[8], (asked,), 0, OWN[:1])) == ("Own 0", 'On "Quoted" Words')


def test_a_citation_pair_depends_on_its_dice_alone() -> None:
    item = Interaction("", "mine")
    assert cited(item, PAPERS, "3/u@1") == cited(item, PAPERS, "3/u@1")
    assert len({cited(item, PAPERS, f"3/u@{n}") for n in range(9)}) > 3


def test_a_citation_question_is_its_own_pair_and_needs_no_pool() -> None:
    assert cited(Interaction(CITATION, "[2]"), ()) == (CITATION, "[2]")
    assert cited(Interaction(CITATION, "neither"), ()) is None
    assert cited(Interaction("an abstract", " "), ()) is None


def test_what_a_citation_search_reads() -> None:
    use = lamp("1").retrieval
    assert use.query(CITATION) == "One Two"
    assert use.document(Interaction("abstract", "Title")) == "Title abstract"
    assert use.document(Interaction(CITATION, "[2]")) == 'On "Quoted" Words'
    assert use.shown(Interaction("about", "Title")) == "Paper: Title\nAbstract: about"
    assert use.shown(Interaction("", "Title")) == "Paper: Title"
    assert use.shown(Interaction(CITATION, "[2]")) == 'Paper: On "Quoted" Words'
    with pytest.raises(ValueError, match="task lamp_1") as refused:
        use.query(CITATION.replace("[2]: ", "[3]: "))
    assert "Quoted" not in str(refused.value)


@pytest.mark.parametrize("name", ["1", *FIELDS, "7"])
def test_an_unofficial_input_is_refused_without_its_text(name: str) -> None:
    with pytest.raises(ValueError, match=f"task lamp_{name}: .*official") as refused:
        lamp(name).prompt("my secret")
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize("name", FIELDS)
def test_the_instruction_ends_at_its_first_marker_even_if_the_text_repeats_it(name: str) -> None:
    task, module = lamp(name), import_module(f"tailorlm.tasks.lamp_{name}")
    text = "it said description: article: review: paper: email: all at once"
    prompt = task.prompt(module.INSTRUCTION + text)
    assert (prompt.head, prompt.body, prompt.tail) == (module.INSTRUCTION, text, "")


NEWS = Interaction(titled("A  headline", "what happened"), "sports")


def test_news_are_searched_and_shown_with_their_titles_and_asked_without() -> None:
    task = lamp("2n")
    asked = import_module("tailorlm.tasks.lamp_2n").INSTRUCTION + "what happened"
    assert task.pair(NEWS, Pool(), Random(0)) == (asked, "sports")
    assert task.pair(Interaction("what happened", "sports"), Pool(), Random(0)) == (asked, "sports")
    assert task.pair(Interaction(titled("A headline", ""), "sports"), Pool(), Random(0)) is None
    assert task.retrieval.document(NEWS) == "A headline what happened"
    assert task.retrieval.shown(NEWS) == "Title: A headline\nArticle: what happened\nCategory: sports"
    assert task.retrieval.shown(Interaction("untitled", "sports")) == "Article: untitled\nCategory: sports"
    assert task.retrieval.query(asked) == "what happened"


def test_an_unknown_label_makes_no_pair() -> None:
    assert lamp("2m").pair(Interaction("a movie", "western"), Pool(), Random(0)) is None
    assert lamp("3").pair(Interaction("a review", "4.5"), Pool(), Random(0)) is None


def test_a_label_is_trained_on_as_the_task_spells_it() -> None:
    for said in ("5.0", " 5", "5"):
        assert lamp("3").pair(Interaction("a review", said), Pool(), Random(0))[1] == "5"
    assert lamp("2m").pair(Interaction("a movie", "comedy\n"), Pool(), Random(0))[1] == "comedy"


def test_a_tweet_is_completed_from_its_first_half() -> None:
    pair = lamp("7").pair(Interaction("", "one two  three four five"), Pool(), Random(0))
    assert pair == (
        "Complete the following tweet without any explanation before or after it: one two",
        "three four five",
    )
    assert lamp("7").prompt(pair[0]).body == "one two"
    assert lamp("7").pair(Interaction("", "one two three"), Pool(), Random(0)) is None


def test_a_tweet_s_own_question_is_asked_as_it_is_and_shown_without_its_instruction() -> None:
    said = "Paraphrase the following tweet without any explanation before or after it: I am home."
    item = Interaction(said, "home!!", None, "lamp_7")
    assert lamp("7").pair(item, Pool(), Random(0)) == (said, "home!!")
    assert lamp("7").retrieval.shown(item) == "Text: I am home.\nTweet: home!!"
    assert lamp("7").retrieval.shown(Interaction("", "home!!")) == "Tweet: home!!"


@pytest.mark.parametrize("part", ["dev", "train"])
@pytest.mark.parametrize("name", [*FIELDS, "7", "1"])
def test_every_question_at_hand_splits_after_the_one_instruction(name: str, part: str) -> None:
    task, heads = lamp(name), set()
    for question in read(name, f"{part}_questions"):
        prompt = task.prompt(question["input"])
        assert prompt.head + prompt.body + prompt.tail == question["input"]
        assert prompt.body
        heads.add(prompt.head)
    module = import_module(f"tailorlm.tasks.lamp_{name}")
    official = {"1": lambda: module.OPENING, "7": lambda: module.COMPLETE.replace("Complete", "Paraphrase")}
    assert heads == {official.get(name, lambda: module.INSTRUCTION)()}


@pytest.mark.parametrize("name", FIELDS)
def test_every_item_at_hand_makes_a_pair_of_the_queries_form(name: str) -> None:
    task, (given, answer) = lamp(name), FIELDS[name]
    questions = read(name, "dev_questions")
    head = task.prompt(questions[0]["input"]).head
    for item in questions[0]["profile"] + questions[-1]["profile"]:
        pair = task.pair(Interaction(item[given], str(item[answer])), Pool(), Random(0))
        assert pair == (head + item[given], str(item[answer]))
        assert task.prompt(pair[0]).body == item[given]


@pytest.mark.parametrize("name", ["1", "2m", "2n", "3"])
def test_every_gold_at_hand_is_a_label(name: str) -> None:
    golds = {gold["output"] for gold in read(name, "dev_outputs")["golds"]}
    assert golds <= set(lamp(name).labels or ())
