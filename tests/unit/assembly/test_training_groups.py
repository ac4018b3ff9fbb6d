"""Sources of one run with training users of their own: who is trained on, what is shared, what is refused."""

import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from tailorlm.assembly import build, runs
from tailorlm.assembly.population import population
from tailorlm.assembly.recipes import Recipe, read, resolve
from tailorlm.assembly.wanted import check_rows, standard, wanted
from tailorlm.commands import evaluate
from tailorlm.data.records import User
from tailorlm.methods import mt_lora, prisp, text_to_lora

LORA = '{ targets = ["q_proj"], rank = 2 }'
ROWS = f"""
[data.groups]
sharers = "sharers.jsonl"
the_same = "./sharers.jsonl"
own = "users.jsonl"
tasks = "../tasks.jsonl"

[methods.text_to_lora]
tasks = "users"
lora = {LORA}
net = {{ latent = 16, head_in = 16 }}
batch = {{ users = 2, tasks = 1 }}
train = {{ steps = 2 }}

[[eval.methods]]
name = "lent"
adapter = "mt_lora"
train = "sharers"

[[eval.methods]]
name = "lent+rag"
adapter = "mt_lora"
context = "rag"
train = "the_same"

[[eval.methods]]
name = "ours"
adapter = "mt_lora"
train = "own"

[[eval.methods]]
name = "anchor"
adapter = "text_to_lora"
train = "tasks"

[[eval.methods]]
name = "further"
adapter = "prisp"
start = "lent"
settings = {{ lora = {LORA}, task = {{ data = "all", epochs = 1 }}, items = {{ items = 1 }} }}
"""


def line(id: str, items: int = 3, task: str = "headline", **more: str) -> dict[str, Any]:
    history = [{"input": f"news {n} of {id}", "output": f"NEWS {n}", "task": task, "time": n} for n in range(items)]
    return {"user_id": id, "history": history, **more}


def write(path: Path, lines: Sequence[dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(one) + "\n" for one in lines), encoding="utf-8")


@pytest.fixture
def recipe(tiny_recipe: Path, tiny_users: Path, tmp_path: Path) -> Path:
    """Seven training users, three who are asked, three sharers, two tasks."""
    folder = tmp_path / "data"
    folder.mkdir()
    shutil.copy(tiny_users, folder / "users.jsonl")
    write(folder / "sharers.jsonl", [line(f"s{n}") for n in range(3)])
    write(tmp_path / "tasks.jsonl", [line(f"t{n}", profile="say it short\nsay it") for n in range(2)])
    text = tiny_recipe.read_text(encoding="utf-8").replace(f'root = "{tiny_users}"', f'root = "{folder}"')
    text = text.replace("[data]\n", '[data]\ntrain = "users.jsonl"\n')
    path = tmp_path / "groups.toml"
    path.write_text(text.replace("[eval]\n", '[eval]\nrows = ["mt_lora"]\n') + ROWS, encoding="utf-8")
    return path


Seen = dict[str, list[list[str]]]


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> Seen:
    """The ids of those whom each method's sources were trained on."""
    found: Seen = {}

    def spied(name: str, prepare: Callable[..., None]) -> Callable[..., None]:
        def spy(source: Any, users: Sequence[User], *more: Any) -> None:
            found.setdefault(name, []).append(sorted(user.id for user in users))
            prepare(source, users, *more)

        return spy

    for method in (mt_lora, prisp, text_to_lora):
        monkeypatch.setattr(method.Source, "prepare", spied(method.__name__.rpartition(".")[2], method.Source.prepare))
    return found


def test_each_source_is_trained_on_its_own_people_only(recipe: Path, tmp_path: Path, seen: Seen) -> None:
    made = read(recipe)
    own = sorted(user.id for user in population(made).train)
    result = evaluate.run(recipe, ['eval.splits=["dev"]', "contexts.rag.k=1"], None, tmp_path / "run", False)
    assert result.code == 0, result.found["failures"]
    sharers = ["s0", "s1", "s2"]
    assert seen["mt_lora"] == [own, sharers] and len(own) == 7  # once each: rows of the same people share a source
    assert seen["text_to_lora"] == [["t0", "t1"]]
    assert seen["prisp"] == [own]  # further on the recipe's people, from an anchor of the sharers
    assert result.found["trained_on"] == {
        "lent": {"file": "sharers.jsonl", "users": 3}, "lent+rag": {"file": "sharers.jsonl", "users": 3},
        "anchor": {"file": "../tasks.jsonl", "users": 2},
    }  # fmt: skip
    again = evaluate.run(recipe, ['eval.splits=["dev"]', "contexts.rag.k=1"], None, tmp_path / "run", True)
    assert again.found["methods"] == result.found["methods"] and seen["mt_lora"][2:] in ([], [sharers])


def key(made: Recipe, name: str) -> str:
    return next(wanted(made, row).key for row in made.eval.methods if row.name == name)


def test_keys_are_of_the_people_whatever_they_are_called(recipe: Path) -> None:
    made = read(recipe)
    assert key(made, "lent") == key(made, "lent+rag") != key(made, "ours")
    assert key(made, "ours") == standard(made, "mt_lora").key  # what `tailor train` makes
    other = read(recipe, ["data.groups.sharers=others.jsonl"])
    assert len({key(made, "lent"), key(other, "lent"), key(other, "lent+rag")}) == 2
    assert key(made, "further") != key(other, "further")  # it begins at another source


def test_groups_are_read_by_the_same_reader_and_rules(recipe: Path, tmp_path: Path) -> None:
    asked = {"input": "Write a headline: new", "output": "NEW", "task": "headline", "time": 9}
    write(
        tmp_path / "data" / "sharers.jsonl",
        [{**line(f"s{n}"), "queries": [{"id": f"q{n}", **asked}]} for n in range(6)],
    )
    whole = population(read(recipe)).groups["sharers.jsonl"]
    assert [user.id for user in whole.train] == [f"s{n}" for n in range(6)] and not whole.held
    assert [len(user.history) for user in whole.train] == [4] * 6  # answered queries are items
    few = population(read(recipe, ["data.users=4", "data.validation=0.25", "data.queries=false"])).groups
    assert len(few["sharers.jsonl"].train) == 3 and len(few["sharers.jsonl"].held) == 1
    assert {len(user.history) for user in few["sharers.jsonl"].train} == {3}


def test_by_time_a_group_is_seen_before_the_questions_only(recipe: Path, tmp_path: Path) -> None:
    later = {"input": "after", "output": "AFTER", "task": "headline", "time": 7}
    write(tmp_path / "data" / "users.jsonl", [line(f"u{n}", 6) for n in range(4)])
    lent = [line("s0"), {**line("u1", 6), "history": [*line("u1", 6)["history"], later]}]
    write(tmp_path / "data" / "sharers.jsonl", lent)
    found = population(read(recipe, ['data.protocol="time"', "data.held=2"]))
    by_id = {user.id: user for user in found.groups["sharers.jsonl"].train}
    assert [item.time for item in by_id["u1"].history] == [0, 1, 2, 3]
    assert len(by_id["s0"].history) == 3


def test_who_is_asked_is_in_no_group(recipe: Path, tmp_path: Path) -> None:
    asked = population(read(recipe)).splits["dev"].ids
    write(tmp_path / "data" / "sharers.jsonl", [line("s0"), line(asked[1])])
    said = rf"sharers.jsonl: 1 users are in training and dev, '{asked[1]}' is the first"
    with pytest.raises(ValueError, match=said):
        evaluate.run(recipe, [], None, tmp_path / "run", False)
    assert not (tmp_path / "run").exists()
    write(tmp_path / "data" / "sharers.jsonl", [line("s0", 0)])
    with pytest.raises(ValueError, match="sharers.jsonl: no training user has any history"):
        population(read(recipe))
    write(tmp_path / "data" / "sharers.jsonl", [line("s0"), line("t0", profile="another")])
    with pytest.raises(ValueError, match="user 't0' is in two groups of training users"):
        evaluate.run(recipe, [], None, tmp_path / "run", False)


def test_groups_make_a_trained_run_no_other_run(recipe: Path, tiny_recipe: Path, tmp_path: Path) -> None:
    plain = read(recipe, ["eval.methods=[]"])
    build.train(plain, tmp_path / "run")
    runs.check_run(tmp_path / "run", read(recipe, ["data.groups.more=x.jsonl"]))
    with pytest.raises(ValueError, match="another recipe: data.users"):
        runs.check_run(tmp_path / "run", read(recipe, ["data.users=2"]))


@pytest.mark.parametrize(
    ("groups", "row", "said"),
    [
        ({"sharers": "s.jsonl"}, {"adapter": "mt_lora", "train": "sharer"}, r"'sharer'; did you mean sharers\?"),
        ({}, {"adapter": "mt_lora", "train": "sharers"}, "row 'x' trains on the group 'sharers'; data.groups is empty"),
        ({"sharers": ""}, {"adapter": "mt_lora"}, "data.groups.sharers is empty; expected a file"),
        ({"sharers": "s.jsonl"}, {"train": "sharers"}, "x: train is 'sharers', and the base is not trained"),
    ],
)
def test_what_is_wrong_is_said(groups: dict[str, str], row: dict[str, str], said: str) -> None:
    table = {"base": {"name": "x"}, "data": {"groups": groups}, "eval": {"rows": [], "methods": [{"name": "x", **row}]}}
    with pytest.raises(ValueError, match=said):
        check_rows(resolve(table))


def test_negatives_come_from_the_sources_own_people() -> None:
    from tailorlm.assembly.datasets import pools
    from tailorlm.data.records import Interaction
    from tailorlm.tasks import lamp_1

    said = f'{lamp_1.OPENING}a title{lamp_1.CLOSING}{lamp_1.ANSWERS}[1]: "x" [2]: "y"'
    asked = Interaction(said, "[1]", None, "lamp_1")
    # Rows of task data are questions already; users' own papers still need them as negatives.
    assert pools([User("a", (asked,))]) == {"lamp_1": (asked,)}
