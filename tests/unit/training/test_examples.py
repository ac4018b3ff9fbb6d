"""Rows out of histories: whose items negatives are, and that a row does not depend on its company."""

from dataclasses import replace
from random import Random
from types import SimpleNamespace
from typing import Any

import pytest

from tailorlm.data.cuts import Cut
from tailorlm.data.records import Interaction, User
from tailorlm.tasks import lamp_1, plain
from tailorlm.tasks.task import Pool, Task
from tailorlm.training import examples
from tailorlm.training.examples import pools_of, training_set


def papers(name: str, count: int = 6, *shared: str) -> User:
    titles = [f"{name} paper {n}" for n in range(count)] + list(shared)
    return User(name, tuple(Interaction("", title, float(n), "lamp_1") for n, title in enumerate(titles)))


TRAIN = [papers("ann"), papers("bob", 6, "with everybody"), papers("cy", 3, "with everybody")]
TEST = papers("dora", 5, "with everybody")
POOLS = pools_of(TRAIN)


@pytest.fixture(autouse=True)
def texts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows keep their words: no tokenizer is needed to see what is asked."""

    def row(tokenizer: Any, prompt: Any, completion: str, max_tokens: int, id: str) -> SimpleNamespace:
        return SimpleNamespace(id=id, asked=prompt.head + prompt.body + prompt.tail, answer=completion)

    monkeypatch.setattr(examples, "encode_row", row)


def task_of(name: str | None) -> Task:
    return lamp_1.TASK if name == "lamp_1" else plain.TASK


def made(users: list[User], pools: examples.Pools = POOLS, seed: int = 0, at: int = 0) -> dict[str, tuple[str, str]]:
    rows = training_set(users, [Cut(user.id, at) for user in users], task_of, None, 99, pools, seed)
    return {row.id: (row.asked, row.answer) for row in rows.rows}


def negative(question: str, answer: str) -> str:
    first, second = question.partition('[1]: "')[2].removesuffix('"').split('" [2]: "')
    return second if answer == "[1]" else first


def positive(question: str, answer: str) -> str:
    return negative(question, "[1]" if answer == "[2]" else "[2]")


@pytest.mark.parametrize("user", [*TRAIN, TEST], ids=lambda user: user.id)
def test_negatives_are_training_users_papers_and_never_the_users_own(user: User) -> None:
    own, train = {item.output for item in user.history}, {item.output for one in TRAIN for item in one.history}
    drawn = {negative(*pair) for seed in range(30) for pair in made([user], seed=seed).values()}
    assert drawn <= train - own
    assert len(drawn) >= min(8, len(train - own))


def test_without_the_exclusion_own_papers_would_be_drawn() -> None:
    """The negative control: the pool does hold what the test above does not find."""
    user = TRAIN[1]
    drawn = {
        negative(*(lamp_1.pair(user.history[1], Pool(user.history[:1], POOLS["lamp_1"]), Random(seed)) or ("", "")))
        for seed in range(200)
    }
    assert drawn & {item.output for item in user.history[2:]}


@pytest.mark.parametrize("at", range(5))
def test_positives_are_papers_between_the_cut_and_the_item_and_never_shown_ones_or_later_ones(at: int) -> None:
    titles = [item.output for item in TEST.history]
    found: dict[str, set[str]] = {}
    for seed in range(40):
        for id, pair in made([TEST], seed=seed, at=at).items():
            found.setdefault(id, set()).add(positive(*pair))
    assert found == {f"dora@{n}": set(titles[at:n]) for n in range(at + 1, 6)}


def test_the_first_item_after_a_cut_asks_nothing_where_it_needs_an_earlier_one() -> None:
    assert "dora@2" not in made([TEST], at=2)


def test_a_row_does_not_depend_on_company_cuts_or_earlier_rows() -> None:
    alone, together = made([TEST]), made([TRAIN[0], TEST, TRAIN[2]])
    assert {id: pair for id, pair in together.items() if id.startswith("dora@")} == alone
    answers = User("eve", tuple(Interaction(f"q{n}", f"a{n}") for n in range(5)))
    assert made([answers], at=3) == {id: pair for id, pair in made([answers]).items() if int(id.partition("@")[2]) >= 3}
    changed = replace(TEST, history=(*TEST.history, Interaction("", "cy paper 2", 9.0, "lamp_1")))
    same = {id for id, pair in made([changed]).items() if alone.get(id) == pair}
    assert same >= {id for id, pair in alone.items() if negative(*pair) != "cy paper 2"}


@pytest.mark.parametrize("own", [[0], [1], [0, 14], [13, 14], [0, 1, 14], list(range(14)), list(range(1, 15))])
def test_a_pool_without_own_items_keeps_the_others_places(own: list[int]) -> None:
    pool = examples._Pool(POOLS["lamp_1"][:15])
    history = [replace(pool.items[n], time=None) for n in own]
    found, titles = pool.without(history), {item.output for item in history}
    assert not titles & {item.output for item in found}
    kept = [n for n, item in enumerate(pool.items) if item.output not in titles]
    assert [found[n] for n in kept] == [pool.items[n] for n in kept]
    assert len(found) == 15
    assert pool.without(pool.items) == []


def test_another_seed_draws_others() -> None:
    assert made([TEST], seed=0) == made([TEST], seed=0)
    assert made([TEST], seed=0) != made([TEST], seed=1)


def test_the_order_of_candidates_is_shuffled() -> None:
    assert {pair[1] for pair in made([*TRAIN, TEST]).values()} == {"[1]", "[2]"}


def test_a_task_that_needs_a_pool_says_so_and_others_need_none() -> None:
    with pytest.raises(ValueError, match="lamp_1: .* other training users") as refused:
        made([TEST], {})
    assert "dora paper" not in str(refused.value)
    with pytest.raises(ValueError, match="pool of 0 items"):
        made([TEST], pools_of([TEST]))
    answers = User("eve", (Interaction("q", "a"), Interaction("", "no question"), Interaction("r", "b")))
    assert made([answers], {}) == {"eve@0": ("q", "a"), "eve@2": ("r", "b")}


def test_pools_are_by_task_and_in_order() -> None:
    mixed = User("f", (Interaction("q", "a"), Interaction("", "t", task="lamp_1")))
    assert pools_of([mixed, papers("g", 1)]) == {
        None: (mixed.history[0],),
        "lamp_1": (mixed.history[1], Interaction("", "g paper 0", 0.0, "lamp_1")),
    }
    assert pools_of([]) == {}


def test_cuts_of_one_user_share_rows_and_know_their_own_place() -> None:
    eve = User("eve", tuple(Interaction(f"q{n}", f"a{n}") for n in range(6)))
    found = training_set([eve], [Cut("eve", 4), Cut("eve", 2)], task_of, None, 99, POOLS)
    assert found.cut == [0, 0, 1, 1, 1, 1]
    assert [row.id for row in found.rows] == [f"eve@{n}" for n in (4, 5, 2, 3, 4, 5)]
    assert found.rows[0] is found.rows[4]
    assert found.asked[2] == (Cut("eve", 2), "plain")


def test_cuts_have_rows_of_their_own_where_pairs_are_made_of_items_since_the_cut() -> None:
    found = training_set([TEST], [Cut("dora", 3), Cut("dora", 0)], task_of, None, 99, POOLS)
    assert [(found.cut[n], row.id) for n, row in enumerate(found.rows)] == [
        *((0, f"dora@{n}") for n in (4, 5)),
        *((1, f"dora@{n}") for n in (1, 2, 3, 4, 5)),
    ]
    alone = training_set([TEST], [Cut("dora", 0)], task_of, None, 99, POOLS)
    assert found.rows[2:] == alone.rows
