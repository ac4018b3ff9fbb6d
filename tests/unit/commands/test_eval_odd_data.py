"""`tailor eval` on answers that are no label of their task: rows that say so, and all other results."""

import json
from pathlib import Path

from tailorlm.commands import evaluate
from tailorlm.commands.checkdata import run as check
from tailorlm.commands.result import FAILED, OK
from tailorlm.data.jsonl import write_users
from tailorlm.data.records import Example, Interaction, User
from tailorlm.tasks import lamp_2m

RECIPE = """
start = "base"
[base]
name = "{base}"
dtype = "float32"
[data]
root = "{data}"
train = "train.jsonl"
dev = "dev.jsonl"
[profile]
kind = "statistical"
[eval]
rows = ["base"]
resamples = 20
"""


def movies(tags: tuple[str, ...], name: str, golds: tuple[str, ...]):
    for number, gold in enumerate(golds):
        user = f"{name}{number}"
        history = tuple(Interaction(f"film {n}", tag, float(n), "lamp_2m") for n, tag in enumerate(tags))
        query = Example(f"q-{user}", user, "lamp_2m", f"{lamp_2m.INSTRUCTION}a film", gold, 99.0)
        yield User(user, history), (query,)


def test_an_odd_gold_fails_its_row_alone(tiny_base: Path, tmp_path: Path) -> None:
    write_users(tmp_path / "train.jsonl", movies(("comedy", "Western"), "t", ("comedy", "comedy")))
    write_users(tmp_path / "dev.jsonl", movies(("comedy",), "d", ("comedy", "action", "Comedy")))
    recipe = tmp_path / "recipe.toml"
    recipe.write_text(RECIPE.format(base=tiny_base, data=tmp_path))
    done = evaluate.run(recipe, (), None, tmp_path / "run", resume=False)
    found = json.loads((tmp_path / "run" / "results.json").read_text())
    assert done.code == FAILED and set(found["methods"]) == {"floor_majority", "floor_user", "base"}
    for by in found["failures"].values():
        assert (by["dev"]["failed"], by["dev"]["rows"]) == (1, 3) and all(
            "no label" in one for one in by["dev"]["reasons"]
        )
    notes = [line for line in done.lines if line.startswith("note: ")]
    assert notes == [
        "note: items of lamp_2m whose answer is none of its labels: 2",
        "note: queries of lamp_2m whose answer cannot be scored: 1",
    ]
    assert "cannot be scored: 1" in "\n".join(check(tmp_path / "dev.jsonl", "stop", None).lines)
    assert (tmp_path / "run" / "report.html").exists()
    again = evaluate.run(recipe, (), None, tmp_path / "good", resume=False, limit=2)
    assert again.code == OK  # the control: the first two are asked, who are right
