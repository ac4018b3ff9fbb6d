"""The example of docs/methods.md: users whose states `tailor eval` kept go on when new items come."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from tailorlm.commands import evaluate
from tailorlm.data.records import Example
from tailorlm.methods.tuned import Tuned

DOCS = Path(__file__).parents[3] / "docs" / "methods.md"
ROW = """
[[eval.methods]]
name = "prisp"
adapter = "prisp"
start = "p2p"
settings = {lora = {targets = ["q_proj"], rank = 2}, items.items = 2, batch = 2}
"""


def example() -> str:
    """The one block of code that reads a kept state."""
    [code] = [
        code for code in re.findall(r"```python\n(.*?)```", DOCS.read_text(), re.S) if "Tuned.load(state)" in code
    ]
    return str(code)


def with_news(line: str) -> str:
    """A user's line with an item more."""
    user = json.loads(line)
    news = {"input": "Write a headline: news 99", "output": "NEWS 99!", "task": "headline", "time": 99}
    return json.dumps({**user, "history": [*user["history"], news]})


def test_the_example_goes_on_with_each_users_own_state(
    tiny_recipe: Path, tiny_users: Path, tiny_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    out = Path(shutil.copytree(tiny_run, "runs/x"))
    recipe = tmp_path / "own.toml"
    recipe.write_text(tiny_recipe.read_text().replace("[eval]\n", '[eval]\nrows = []\nkeep = ["prisp"]\n') + ROW)
    assert not evaluate.run(recipe, [], None, out, False, 0).found["failures"]
    state = out / "kept" / "prisp" / "dev-seed-3-00000-0.pt"
    before = Tuned.load(state)
    lines = tiny_users.read_text().splitlines()
    Path("now.jsonl").write_text("".join(with_news(line) + "\n" for line in reversed(lines)))  # in another order

    found: dict[str, Any] = {}
    exec(compile(example().replace("seed-0", "seed-3"), str(DOCS), "exec"), found)

    after, place = Tuned.load(state), {owner: n for n, owner in enumerate(before.owners)}
    assert set(after.owners) == set(before.owners) and len(before.owners) > 1
    for number, owner in enumerate(after.owners):
        was = place[owner]
        assert before.seen[was] < after.seen[number]
        moved = max((after.params[name][number] - t[was]).abs().max().item() for name, t in before.params.items())
        assert 0 < moved < 1e-2  # a step or two from where it was, not another user's
    assert len(list(Path("adapters").iterdir())) == len(before.owners)
    asked = [Example("q", user_id, "headline", "Write a headline: news", None) for user_id, _ in after.owners]
    adapters, index = found["source"].adapters(asked, found["roster"])
    name = next(iter(adapters.tensors))
    again = found["source"].restored(found["users"], after, found["tasks"])
    other, places = found["source"].adapters(asked, again)
    assert torch.allclose(adapters.tensors[name][index], other.tensors[name][places], atol=1e-6)
