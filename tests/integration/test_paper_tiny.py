"""One recipe of each paper from end to end at `scale=tiny`: users, training, every row, results, report."""

import json
from pathlib import Path

import pytest

from tailorlm import Tailor
from tailorlm.commands.evaluate import run
from tailorlm.commands.result import OK
from tailorlm.tasks import lamp_3

ROOT = Path(__file__).parents[2]
CONTEXTS = ("", "+rag", "+pag", "+rag_pag")
WANTED = {
    ("p2p",): {"base", "rag", "pag", "mt_lora", "p2p", "oppu"},
    ("prisp",): {
        "np", "rag", "pag", "rag_pag", "task", "anchor",
        *(name + context for name in ("oppu", "per_pcs", "prime", "prisp") for context in CONTEXTS),
    },
    ("oppu",): {"base", "mt_lora", "mt_lora+rag", "mt_lora+pag", "oppu", "oppu+rag", "oppu+pag", "oppu_ia3"},
    ("prisp", "show=figure_5"): {"task", "sharer", "prisp_sharer", "mt_lora", "prisp_task_lora", "anchor", "prisp"},
    ("prisp", "show=figure_9"): {"prisp", "no_bridge"},
    ("prisp", "amount=full", "show=figure_7", "data.groups.sharers=../LaMP_3/sharers.jsonl"): {
        "task", *(name + context for name in ("per_pcs", "prime") for context in CONTEXTS),
    },
    ("prisp", "show=table_9"): {"prisp", "prisp_50", "oppu", "oppu_no_task_data", "rag_pag_no_task_data"},
}  # fmt: skip


@pytest.mark.parametrize("chosen", WANTED, ids=" ".join)
def test_a_recipe_runs_from_users_to_report(chosen, tmp_path, monkeypatch):
    if chosen == ("prisp",) or "show=figure_7" in chosen:
        pytest.importorskip("cma", reason="PriME's search needs the package cma")
    monkeypatch.chdir(ROOT)  # the recipes' paths begin at the repository
    paper, *sets = chosen
    recipe = Path("recipes/paper") / f"{paper}.toml"
    result = run(recipe, [*sets, "scale=tiny"], None, tmp_path / "run", resume=False)
    assert result.code == OK
    found = json.loads((tmp_path / "run" / "results.json").read_text())
    assert found["methods"].keys() >= WANTED[chosen]
    assert not found["failures"]
    for split in ("random", "ood") if paper == "p2p" else ("dev",):
        assert {len(by[split].keys() - {"average"}) for by in found["methods"].values()} == {
            12 if paper == "p2p" else 1
        }
        assert all(0 <= score <= 1 for by in found["methods"].values() for score in by[split].values())
    assert (tmp_path / "run" / "report.html").stat().st_size > 1000
    template = "p2p" if paper == "p2p" else "prisp"
    assert f'template = "{template}"' in (tmp_path / "run" / "recipe.toml").read_text()
    assert (tmp_path / "run").stat().st_mode & 0o777 == 0o700
    assert set(found["gradient_norms"]) == (WANTED[chosen] if "figure_9" in chosen[-1] else set())
    if paper == "p2p":  # the network asks in the words that it was trained on, wherever it is loaded
        bench = Tailor.from_pretrained(tmp_path / "run" / "checkpoint").bench
        assert bench.task_of("lamp_3").prompt(lamp_3.INSTRUCTION + "fine").head.startswith("# Instruction:")
