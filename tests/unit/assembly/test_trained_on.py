"""Nobody who trained is asked as unseen: what was trained on others than the data give now is refused."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tailorlm.assembly import build
from tailorlm.assembly.recipes import read
from tailorlm.assembly.trained_on import check, made, note, trained_on
from tailorlm.commands import evaluate
from tailorlm.data.records import Interaction, User

QUICK = ["methods.p2p.train.steps=1", "methods.mt_lora.train.steps=1", 'eval.rows=["base", "mt_lora", "p2p"]']
LENT = """
[[eval.methods]]
name = "lent"
adapter = "mt_lora"
train = "sharers"
"""


def line(id: str, items: int = 4, **more: str) -> dict[str, Any]:
    history = [{"input": f"private {n} of {id}", "output": f"NEWS {n}", "task": "headline"} for n in range(items)]
    return {"user_id": id, "history": history, **more}


def write(path: Path, lines: list[dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(one) + "\n" for one in lines), encoding="utf-8")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    for name, users in (("train", 5), ("test", 4), ("sharers", 3)):
        write(folder / f"{name}.jsonl", [line(f"{name}{n}") for n in range(users)])
    return folder


@pytest.fixture
def recipe(tiny_recipe: Path, tiny_users: Path, data: Path, tmp_path: Path) -> Path:
    text = tiny_recipe.read_text(encoding="utf-8").replace(f'root = "{tiny_users}"', f'root = "{data}"')
    text = text.replace("[data]\n", '[data]\ntrain = "train.jsonl"\ndev = "test.jsonl"\n')
    path = tmp_path / "recipe.toml"
    path.write_text(text + '\n[data.groups]\nsharers = "sharers.jsonl"\n' + LENT, encoding="utf-8")
    return path


def rows(out: Path) -> dict[str, bytes]:
    return {str(path.relative_to(out)): path.read_bytes() for path in (out / "rows").rglob("*") if path.is_file()}


def swap(data: Path) -> None:
    os.rename(data / "train.jsonl", data / "other.jsonl")
    os.rename(data / "test.jsonl", data / "train.jsonl")
    os.rename(data / "other.jsonl", data / "test.jsonl")


def test_training_and_test_users_that_were_exchanged_in_place(recipe: Path, data: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    build.train(read(recipe, QUICK), out)
    assert evaluate.run(recipe, QUICK, None, out, False).code == 0  # two readers, the same people
    before = rows(out)
    swap(data)
    said = "(shared|checkpoint) was trained on other users than .*train.jsonl gives now: 5 users then, 4 now, 20 items"
    for resume in (True, False):
        with pytest.raises(ValueError, match=said) as caught:
            evaluate.run(recipe, QUICK, None, out, resume, overwrite=not resume)
        assert "private" not in str(caught.value) and rows(out) == before
    with pytest.raises(ValueError, match="was trained on other users"):
        build.train(read(recipe, QUICK), out, resume=True)
    assert all("private" not in path.read_text() for path in (out / "prepared").iterdir())
    swap(data)
    assert evaluate.run(recipe, QUICK, None, out, True).code == 0 and rows(out).keys() == before.keys()


@pytest.mark.parametrize(
    ("file", "change", "said"),
    [
        ("train", lambda lines: lines[0]["history"][1].update(input="other"), "users then and now, whose ids, items"),
        ("train", lambda lines: lines[0].update(profile="likes maps"), "users then and now, whose ids, items or"),
        ("train", lambda lines: lines[0]["history"].pop(), "20 items then, 19 now"),
        ("sharers", lambda lines: lines.pop(), "lora-[0-9a-f]* was trained .*sharers.jsonl .*3 users then, 2 now"),
    ],
)  # fmt: skip
def test_what_else_makes_them_others(
    recipe: Path, data: Path, tmp_path: Path, file: str, change: Callable[[list[dict[str, Any]]], None], said: str
) -> None:
    changes = [*QUICK[:2], 'eval.rows=["mt_lora"]']
    evaluate.run(recipe, changes, None, tmp_path / "run", False)
    path = data / f"{file}.jsonl"
    lines = [json.loads(text) for text in path.read_text(encoding="utf-8").splitlines()]
    write(path, lines[::-1])
    assert evaluate.run(recipe, changes, None, tmp_path / "run", True).code == 0  # their order says nothing
    change(lines)
    write(path, lines)
    with pytest.raises(ValueError, match=said):
        evaluate.run(recipe, changes, None, tmp_path / "run", True)


def test_of_an_older_run_it_is_said_that_nobody_knows(
    recipe: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    build.train(read(recipe, QUICK), tmp_path / "run")
    (tmp_path / "run" / "prepared" / "p2p.people.json").unlink()
    evaluate.run(recipe, QUICK, None, tmp_path / "run", False)
    said = capsys.readouterr().err
    assert "p2p was trained before runs noted their training users" in said and "mt_lora was trained before" not in said


def test_a_start_that_failed_is_nobody_s(tmp_path: Path) -> None:
    ann, bob = User("ann", (Interaction("a", "b"),)), User("bob", ())
    path, folders = tmp_path / "prepared" / "p2p.people.json", (tmp_path / "p2p", tmp_path / "checkpoint")
    note(path, folders, lambda: trained_on("x", [ann], []))
    (tmp_path / "p2p").mkdir()
    (tmp_path / "p2p" / "curve.jsonl").write_text("{}")
    assert not made(folders) and check(path, folders, lambda: trained_on("x", [bob], []))
    note(path, folders, lambda: trained_on("x", [bob], []))
    (tmp_path / "p2p" / "step-1.pt").write_text("x")
    assert check(path, folders, lambda: trained_on("y", [bob], []))
    note(path, folders, lambda: trained_on("y", [bob], []))  # going on
    for others in (trained_on("y", [ann], []), trained_on("y", [bob], [ann])):
        with pytest.raises(ValueError, match="p2p was trained on other users than y gives now"):
            note(path, folders, lambda others=others: others)  # type: ignore[misc]
    path.unlink()
    assert not check(path, folders, lambda: trained_on("y", [ann], []))
