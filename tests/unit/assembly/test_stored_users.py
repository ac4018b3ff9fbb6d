"""Users on disk: what is read is what was added; the population is the one that lists give."""

import json
from pathlib import Path

import pytest

from tailorlm.assembly.datasets import people, pools, validation_users
from tailorlm.assembly.population import population
from tailorlm.assembly.recipes import Recipe, read, resolve
from tailorlm.assembly.store import UserStore, stored
from tailorlm.data.records import Example, Interaction, User


def users(count: int = 4) -> list[User]:
    return [User(f"u{n}", tuple(Interaction(f"in {i}", f"out {n}", i) for i in range(n)), "text") for n in range(count)]


def test_what_is_read_is_what_was_added(tmp_path: Path) -> None:
    asked = Example("q", "u1", None, "what", "that")
    store = stored((user, (asked,) if user.id == "u1" else ()) for user in users())
    assert [store[n][0] for n in range(4)] == users() == list(store.users()) and store[1][1] == (asked,)
    assert store.user("u2") == users()[2] and store.place("u3") == 3 and len(store) == 4
    assert store.asked == {None: 1} and list(store.queries) == [0, 1, 0, 0]
    some = store.users([3, 1])
    assert list(some) == [users()[3], users()[1]] and some.ids == ["u3", "u1"] and some[1:][0] == users()[1]
    assert not list(tmp_path.iterdir())
    store.add(User("new", ()))
    assert store[1][0] == users()[1] and store.user("new").history == ()  # reading between adding is no harm
    with pytest.raises(ValueError, match="user 'u1' comes twice"):
        store.add(User("u1", ()))


def test_the_file_has_no_name(tmp_path: Path) -> None:
    store = UserStore(tmp_path)
    store.add(users()[2])
    assert store.user("u2") == users()[2] and not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "changes", [{}, {"validation": 0.3}, {"users": 4, "dev_users": 2}, {"queries": False}, {"dev": "dev.jsonl"}]
)
def test_the_population_is_the_one_of_lists(tmp_path: Path, changes: dict) -> None:
    lines = [
        {"user_id": f"u{n}", "history": [{"input": "a", "output": "b", "task": "headline"}] * (n + 1),
         "queries": [{"id": f"q{n}{i}", "input": "Write a headline: x", "output": "y", "task": "headline"}
                     for i in range(n % 3)]}
        for n in range(12)
    ]  # fmt: skip
    (tmp_path / "train.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    dev = [{**line, "user_id": f"d{n}"} for n, line in enumerate(lines[:5])]
    (tmp_path / "dev.jsonl").write_text("".join(json.dumps(line) + "\n" for line in dev))
    data = {"root": str(tmp_path), "train": "train.jsonl", "holdout": 0.4, **changes}
    recipe = resolve({"base": {"name": "x"}, "seed": 1, "data": data})
    listed, found = people(recipe.data, 1), population(recipe)
    train, held = validation_users(listed.train, recipe.data.validation, 1)
    assert list(found.train) == train and list(found.held) == held
    store = found.splits["dev"]
    assert [store[n][0] for n in range(len(store))] == listed.dev
    assert [query for n in range(len(store)) for query in store[n][1]] == listed.queries


def test_what_cannot_be_a_population_is_said(tmp_path: Path) -> None:
    def of(lines: list[dict], **data: str) -> Recipe:
        (tmp_path / "users.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
        return resolve({"base": {"name": "x"}, "data": {"root": str(tmp_path), "train": "users.jsonl", **data}})

    item = {"input": "a", "output": "b"}
    with pytest.raises(ValueError, match="no training user has any history"):
        population(of([{"user_id": "a", "history": []}, {"user_id": "b", "history": []}]))
    with pytest.raises(ValueError, match="no dev user has a query with an answer"):
        population(
            of([{"user_id": n, "history": [item]} for n in "abc"], dev="empty.jsonl")
            if (tmp_path / "empty.jsonl").write_text('{"user_id": "z", "history": []}\n')
            else None
        )
    with pytest.raises(ValueError, match="3 users are in training and dev, 'a' is the first"):
        population(of([{"user_id": n, "history": [item, item, item]} for n in "abc"], dev="users.jsonl"))


def test_pools_are_of_the_tasks_that_need_them() -> None:
    papers = [Interaction(f"abstract {n}", f"title {n}", n, "lamp_1") for n in range(3)]
    others = [Interaction("a", "drama", 0, "headline")]
    found = pools([User("a", tuple(papers)), User("b", tuple(others))])
    assert found == {"lamp_1": tuple(papers)} and pools([User("b", tuple(others))]) == {}


def test_other_methods_do_not_make_it_another_run(tiny_run: Path, tiny_recipe: Path) -> None:
    from tailorlm.assembly import runs

    runs.check_run(tiny_run, read(tiny_recipe, ["methods.oppu.epochs=7", 'eval.rows=["prisp"]', "contexts.rag.k=3"]))
    with pytest.raises(ValueError, match="another recipe: methods.p2p.train.steps"):
        runs.check_run(tiny_run, read(tiny_recipe, ["methods.p2p.train.steps=9"]))
