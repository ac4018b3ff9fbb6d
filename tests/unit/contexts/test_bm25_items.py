"""BM25 against the Okapi formula written out here, ties, batches of users, and prompts that fit."""

import math
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from tailorlm.backbone.prompt import PLAIN_TEMPLATE, Prompt, encode_prompt
from tailorlm.contexts import full_history
from tailorlm.contexts.context import Request, within
from tailorlm.contexts.retrieval import Index, top
from tailorlm.data.records import Example, Interaction
from tailorlm.data.retrieval import WHOLE, Retrieval, said, whole_query

DOCUMENTS = [
    "the cat sat on the mat", "the dog sat", "a storm over the sea", "", "Cat and dog and cat",
    "the the the", "rain tomorrow, the forecast says",
]  # fmt: skip


def okapi(documents: list[list[str]], query: list[str]) -> list[float]:
    """rank_bm25's BM25Okapi, word by word."""
    total = len(documents)
    mean_length = sum(map(len, documents)) / total
    having = Counter(word for words in documents for word in set(words))
    idf = {word: math.log(total - n + 0.5) - math.log(n + 0.5) for word, n in having.items()}
    floor = 0.25 * sum(idf.values()) / len(idf)
    idf = {word: floor if value < 0 else value for word, value in idf.items()}
    scores = []
    for words in documents:
        counts, norm = Counter(words), 1.5 * (1 - 0.75 + 0.75 * len(words) / mean_length)
        scores.append(sum(idf.get(w, 0.0) * counts[w] * 2.5 / (counts[w] + norm) for w in query))
    return scores


@pytest.mark.parametrize("query", ["the cat sat", "dog dog storm", "cat Cat", "nobody says so", "", "the"])
def test_scores_are_those_of_rank_bm25(query: str) -> None:
    documents = [text.split() for text in DOCUMENTS]
    assert Index(documents).scores(query.split()) == pytest.approx(okapi(documents, query.split()), abs=1e-12)


WORDS = st.lists(st.sampled_from(["a", "b", "c", "d", "e", "A"]), max_size=9)


@given(documents=st.lists(WORDS, min_size=1, max_size=9).filter(any), query=WORDS)
def test_scores_are_those_of_rank_bm25_whatever_the_texts(documents: list[list[str]], query: list[str]) -> None:
    assert Index(documents).scores(query) == pytest.approx(okapi(documents, query), abs=1e-9)


def test_of_equals_the_newer_comes_first() -> None:
    assert Index([["a"], ["b"], ["a"], ["c"], ["d"]]).best(["a"], 5) == [2, 0, 4, 3, 1]
    assert Index([["a"], ["b"]]).best([], 2) == [1, 0]
    assert Index([[], []]).best(["a"], 5) == [1, 0]
    assert Index([]).best(["a"], 5) == []


def request(user: str, query: str, *texts: str, time: float | None = None) -> Request:
    history = tuple(Interaction(text, text.upper(), float(n)) for n, text in enumerate(texts))
    return Request(Example(f"{user}-q", user, None, query, None, time), Prompt(query), history)


def test_the_best_items_of_each_request_are_its_users_own() -> None:
    one = request("u", "dog", "a dog", "a cat", "the sea", "a tree")
    two = request("v", "dog", "the dog barks", "nothing here", "no, nothing", "and so on")
    found = top([one, two, one], 1)
    assert [[item.input for item in items] for items in found] == [["a dog"], ["the dog barks"], ["a dog"]]
    assert found[0] == top([one], 1)[0]


def test_a_later_item_does_not_even_change_the_words_weights() -> None:
    texts = ("a dog", "a cat", "the dog and the sea", "a tree", "snow")
    early = request("u", "dog sea cat", *texts, time=4.0)
    changed = request("u", "dog sea cat", *texts[:4], "dog dog dog sea cat cat", "dog", time=4.0)
    assert top([early], 4) == top([changed], 4)
    assert top([request("u", "snow", *texts, time=4.0)], 1)[0][0].input != "snow"


def test_the_tasks_texts_are_searched() -> None:
    reads_input = Retrieval(lambda text: text.partition(": ")[2], said, WHOLE.shown)
    history = (
        Interaction("about dogs", "x"),
        Interaction("y", "about dogs"),
        Interaction("z", "w"),
        Interaction("v", "u"),
    )
    ask = Request(Example("q", "u", None, "find y: dogs", None), Prompt(""), history, retrieval=reads_input)
    assert top([ask], 1) == [[history[0]]]


def test_fewer_items_than_k_are_all_and_none_is_none() -> None:
    assert [len(items) for items in top([request("u", "a", "a", "b"), request("v", "a")], 7)] == [2, 0]
    with pytest.raises(ValueError, match="k is 0"):
        top([], 0)


def words_tokenizer() -> PreTrainedTokenizerFast:
    words = ["<pad>", "<eos>", "?", "Question", "Answer", ":", *(f"w{n}" for n in range(30))]
    core = Tokenizer(models.WordLevel({word: n for n, word in enumerate(words)}, unk_token="?"))
    core.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=core, pad_token="<pad>", eos_token="<eos>", unk_token="?")
    tokenizer.chat_template = PLAIN_TEMPLATE
    return tokenizer


@pytest.mark.parametrize("room", [12, 20, 60, 200])
def test_a_prompt_within_the_limit_loses_nothing_when_it_is_encoded(room: int) -> None:
    tokenizer = words_tokenizer()
    history = tuple(Interaction(f"w{n} w{n} w{n}", f"w{n + 10}") for n in range(9))
    use = Retrieval(whole_query, said, WHOLE.shown)
    ask = Request(Example("q", "u", None, "w1", None), Prompt("w29"), history, "", use, within(tokenizer, room))
    [prompt] = full_history.build([ask], full_history.Settings())
    assert encode_prompt(tokenizer, prompt, room) == encode_prompt(tokenizer, prompt, 10_000)
    assert ("w18" in prompt.context) == (room >= 20)
    assert ("w10 " in prompt.context.replace("\n", " ")) == (room == 200)
