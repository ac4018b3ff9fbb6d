"""`tailor eval` keeps gradients' norms where a method is asked for them: in results.json, and in the report."""

import json
import shutil
from pathlib import Path

import pytest

from tailorlm.commands import evaluate

OWN = 'lora = {targets = ["q_proj"], rank = 2}, items.items = 2, batch = 1, gradient_norms = true'
ROWS = "".join(
    f"""
[[eval.methods]]
name = "{name}"
adapter = "prisp"
start = "p2p"
{more}
settings = {{{OWN}{settings}}}
"""
    for name, more, settings in (
        ("tuned", "", ""),
        ("tuned+rag", 'context = "rag"', ""),
        ("of_others", 'control = "shuffled"', ""),
        ("no_bridge", "", ', train_parts = "B"'),
    )
)


def test_norms_reach_the_report_and_count_users_once(
    tiny_recipe: Path, tiny_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = tmp_path / "norms.toml"
    text = tiny_recipe.read_text(encoding="utf-8")
    recipe.write_text(text.replace("[eval]\n", '[eval]\nrows = ["p2p"]\nusers_at_once = 2\n') + ROWS, encoding="utf-8")
    out = tmp_path / "run"
    shutil.copytree(tiny_run, out)
    result = evaluate.run(recipe, [], None, out, resume=False)
    assert not result.found["failures"] and result.code == 0
    found = json.loads((out / "results.json").read_text())["gradient_norms"]
    assert set(found) == {"tuned", "no_bridge"}  # a source once, not of a control's wrong items, and only where asked
    assert all(len(layers) == len(found["tuned"][0]) for layers in found["tuned"])
    assert all(norm > 0 for steps in found.values() for layers in steps for norm in layers)
    assert found["tuned"][0] == pytest.approx(found["no_bridge"][0], rel=1e-4)  # C begins at the identity
    files = sorted((out / "gradient_norms").rglob("*.json"))
    assert len(files) == 6 and (out / "gradient_norms").stat().st_mode & 0o777 == 0o700
    users = [sum(part["users"][0] for part in json.loads(path.read_text())["parts"]) for path in files[:2]]
    assert sum(users) == 3
    assert "Gradients by layer" in (out / "report.html").read_text()
    for part in sorted((out / "rows").rglob("tuned/*/part-00001.parquet")):
        part.unlink()
    again = evaluate.run(recipe, [], None, out, resume=True)
    assert again.found["gradient_norms"] == found and sorted((out / "gradient_norms").rglob("*.json")) == files
    (out / "gradient_norms" / "tuned" / "old-seed-0-00009.json").write_text(files[0].read_text())
    anew = evaluate.run(recipe, [], None, out, resume=False, overwrite=True).found["gradient_norms"]
    assert set(anew["tuned"][0]) == set(found["tuned"][0])
    assert sorted((out / "gradient_norms").rglob("*.json")) == files
