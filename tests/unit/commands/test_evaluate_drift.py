"""`tailor eval` measures drift on neutral prompts: once a source, on the first users, for results.json and the page."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tailorlm.commands import evaluate
from tailorlm.evaluation import runner_drift

ROWS = 'eval.rows=["base", "rag", "mt_lora", "mt_lora+rag", "p2p", "p2p_shuffled"]'


def go(recipe: Path, out: Path, *changes: str, **how: bool) -> dict[str, Any]:
    return evaluate.run(recipe, [ROWS, *changes], None, out, how.pop("resume", False), **how).found


def test_drift_of_each_source(
    tiny_recipe: Path, tiny_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, asked = Path(shutil.copytree(tiny_run, tmp_path / "run")), []
    measure = runner_drift.neutral_drift
    monkeypatch.setattr(runner_drift, "neutral_drift", lambda *given: asked.append(given[3]) or measure(*given))
    found = go(tiny_recipe, out, "eval.drift.users=2", "eval.users_at_once=2")
    drift = found["drift"]
    assert drift["base"] == drift["rag"] == 0 < drift["mt_lora"] == drift["mt_lora+rag"]
    assert drift["p2p"] > 0 and drift["p2p_shuffled"] > 0 and not [name for name in drift if "floor" in name]
    assert len(asked) == 3 and all(len(index) == 2 for index in asked)  # a source once, two users, not of the base
    assert found["drift_asked"]["users"] == 2 and found["drift_asked"]["prompts"] == 24
    assert "Drift" in (out / "report.html").read_text(encoding="utf-8")
    assert (out / "drift").stat().st_mode & 0o777 == 0o700
    again = go(tiny_recipe, out, "eval.drift.users=2", "eval.users_at_once=2", resume=True)
    assert again["drift"] == drift and len(asked) == 3  # what is done is not measured again
    other = go(tiny_recipe, out, "eval.drift.users=3", "eval.users_at_once=2", resume=True)
    assert set(other["drift"]) == {"base", "rag"}  # numbers of other users would not compare
    assert "drift" not in go(tiny_recipe, out, "eval.drift.users=0", overwrite=True) and len(asked) == 3


def test_prompts_of_one_s_own_and_what_fails(
    tiny_recipe: Path, tiny_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, own = Path(shutil.copytree(tiny_run, tmp_path / "run")), tmp_path / "own.jsonl"
    with pytest.raises(ValueError, match="own.jsonl: cannot be read"):
        go(tiny_recipe, out, f"eval.drift.prompts={own}")
    assert not (out / "rows").exists()
    own.write_text(json.dumps({"prompt": "secret", "answer": "secret " * 60}))
    found = evaluate.run(tiny_recipe, ['eval.rows=["base", "mt_lora"]', f"eval.drift.prompts={own}"], None, out, False)
    assert set(found.found["drift"]) == {"base"} and found.code == 0
    assert any("drift of mt_lora was not measured: " in line for line in found.lines)
    assert not any("secret" in line for line in found.lines) and "secret" not in json.dumps(found.found)
