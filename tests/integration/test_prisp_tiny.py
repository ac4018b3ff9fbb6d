"""PRISP over Text-to-LoRA through `tailor eval`: users of several tasks; another run's network, other descriptions."""

import json
from pathlib import Path
from typing import Any

import pytest

from tailorlm.commands.evaluate import run
from tailorlm.commands.result import FAILED, OK
from tailorlm.evaluation.rows import read_part

ROOT = Path(__file__).parents[2]
RECIPE = """
start = "base"
base = {name = "src/tailorlm/demo/base", dtype = "float32"}
data = {root = "recipes/paper/tiny", train = "users.jsonl", split = {kind = "clusters", file = "split.json"}}
profile = {kind = "given"}

[methods.text_to_lora]
net = {latent = 32, head_in = 32}
batch = {users = 8}
train = {steps = 10, learning_rate = 1e-2, precision = "float32"}

[methods.prisp]
items = {items = 2, scope = "task"}

[eval]
splits = ["random"]
rows = []
resamples = 100
methods = [
  {name = "anchor", adapter = "text_to_lora"},
  {name = "prisp", adapter = "prisp", start = "anchor"},
]
"""
RESTYLED = '{lamp_4 = "Shout the news in a few words."}'


@pytest.fixture
def recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(ROOT)  # the recipe's paths begin at the repository
    path = tmp_path / "recipe.toml"
    path.write_text(RECIPE, encoding="utf-8")
    return path


def evaluated(recipe: Path, out: Path, *sets: str) -> tuple[int, dict[str, Any]]:
    result = run(recipe, sets, None, out, resume=False, limit=4)
    return result.code, json.loads((out / "results.json").read_text())


def outputs(out: Path, method: str, task: str = "*") -> list[str | None]:
    parts = sorted((out / "rows").rglob(f"{method}/{task}/part-*.parquet"))
    return [row.output for part in parts for row in read_part(part)]


def test_users_of_several_tasks_are_tuned_from_each_tasks_anchor(recipe: Path, tmp_path: Path) -> None:
    code, found = evaluated(recipe, tmp_path / "first")
    assert not found["failures"] and code == OK
    assert len(found["methods"]["prisp"]["random"]) == 13  # twelve tasks and their average
    assert found["timing"]["methods"]["prisp"]["random"]["kept_bytes_per_user"] > 0
    [folder] = (tmp_path / "first" / "sources").glob("text_to_lora-*/checkpoint")

    there = f"methods.text_to_lora.checkpoint={folder}"
    code, found = evaluated(recipe, tmp_path / "second", there)
    assert code == OK and not list((tmp_path / "second" / "sources").glob("text_to_lora-*"))
    assert outputs(tmp_path / "second", "anchor") == outputs(tmp_path / "first", "anchor")
    assert outputs(tmp_path / "second", "prisp") == outputs(tmp_path / "first", "prisp")

    told = f"methods.text_to_lora.descriptions={RESTYLED}"
    code, _ = evaluated(recipe, tmp_path / "told", there, told)
    assert code == OK
    one, two = (outputs(tmp_path / name, "anchor", "lamp_3") for name in ("first", "told"))
    assert one == two and one  # another task's description changes nothing here

    narrow = "methods.text_to_lora.lora.rank=4"
    with pytest.raises(ValueError, match="eval row 'prisp', prisp over text_to_lora: lora has .* rank 8, and"):
        evaluated(recipe, tmp_path / "narrow", there, narrow)
    assert not (tmp_path / "narrow").exists()
    code, found = evaluated(recipe, tmp_path / "narrow", there, narrow, "methods.prisp.lora.rank=4")
    reasons = {reason for by in found["failures"].values() for reason in by["random"]["reasons"]}
    assert code == FAILED and all("made for something else: space" in reason for reason in reasons)

    code, found = evaluated(recipe, tmp_path / "all", there, "methods.prisp.items.scope=all")
    assert code == FAILED and found["failures"].keys() == {"prisp"}
    reasons = set(found["failures"]["prisp"]["random"]["reasons"])
    assert all("adapters to begin at, one for each task" in one and 'items.scope = "task"' in one for one in reasons)
