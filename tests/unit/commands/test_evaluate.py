"""`tailor eval` on a tiny base: sources times contexts, resume after a kill, failures, seeds, limits."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from tailorlm import cli
from tailorlm.assembly import runs, splitting
from tailorlm.commands import evaluate
from tailorlm.evaluation import runner
from tailorlm.evaluation.report_run import read_runs
from tailorlm.evaluation.rows import MEASURED, Row, read_part

METHODS = """
[[eval.methods]]
name = "p2p+rag"
adapter = "p2p"
context = "rag"

[[eval.methods]]
name = "tuned"
adapter = "prisp"
start = "p2p"
users = 2
settings = { lora = { targets = ["q_proj"], rank = 2 }, items = { items = 2 } }

[contexts.rag]
k = 2
"""


@pytest.fixture
def general(tiny_recipe: Path, tmp_path: Path) -> Path:
    path = tmp_path / "general.toml"
    text = tiny_recipe.read_text(encoding="utf-8").replace(
        "[eval]\n", '[eval]\nrows = ["base", "rag", "mt_lora", "p2p", "p2p_shuffled"]\nusers_at_once = 2\n'
    )
    path.write_text(text + METHODS, encoding="utf-8")
    return path


@pytest.fixture
def trained(tiny_run: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_run, tmp_path / "run"))


def go(recipe: Path, out: Path, *changes: str, resume: bool = False, limit: int = 0, overwrite: bool = False) -> Any:
    return evaluate.run(recipe, changes, None, out, resume, limit, overwrite)


def rows(out: Path) -> list[dict[str, Any]]:
    found = [row for part in sorted((out / "rows").rglob("*.parquet")) for row in read_part(part)]
    return [{name: getattr(row, name) for name in Row.__slots__ if name not in MEASURED} for row in found]


def test_sources_times_contexts(general: Path, trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    result = go(general, trained)
    found, all_rows = result.found, rows(trained)
    names = {"base", "rag", "mt_lora", "p2p", "p2p_shuffled", "p2p+rag", "tuned"}
    floors = {"floor_majority", "floor_user", "floor_copy"}
    assert result.code == 0 and set(found["methods"]) == names | floors and not found["failures"]
    assert found["users"] == {"dev": 3, "train": 7, "tuned": 2} and found["seeds"] == [3]
    assert len(all_rows) == 9 * 6 + 4 and {row["method"] for row in all_rows} == names | floors
    by = {(row["method"], row["example_id"]): row for row in all_rows}
    assert {by[name, id]["context"] for name, id in by if name in ("rag", "p2p+rag")} == {"rag"}
    assert {row["adapter"] for row in all_rows if row["method"] == "tuned"} == {"prisp"}
    assert found["needs"]["tuned"]["user_training"] and not found["needs"]["rag"]["task_data"]
    took = found["timing"]["methods"]["tuned"]["dev"]
    assert took["prepare_seconds"] >= found["timing"]["methods"]["p2p"]["dev"]["prepare_seconds"] > 0  # starts included
    kept = {name: by["dev"]["kept_bytes_per_user"] for name, by in found["timing"]["methods"].items()}
    assert took["users"] == 2 and kept["tuned"] == kept["p2p"] > kept["mt_lora"] == 0  # (A, BC) of the same rank
    assert found["differences"]["p2p+rag - base"]["dev"] and found["same_users"].keys() == names | floors
    assert "58 of 58 rows" in capsys.readouterr().err
    line = json.loads((trained / "answers.jsonl").read_text().splitlines()[0])
    assert line["outputs"]["tuned"] == by["tuned", next(id for name, id in by if name == "tuned")]["output"]
    assert any("p2p+rag" in line for line in result.lines) and (trained / "report.html").exists()


def test_a_killed_evaluation_goes_on_to_the_same_rows(
    general: Path, trained: Path, tiny_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    go(general, trained)
    other, write, written = Path(shutil.copytree(tiny_run, tmp_path / "killed")), runner.write_part, []

    def dying(path: Path, *given: Any) -> None:
        if len(written) == 11:
            raise KeyboardInterrupt
        written.append(path)
        write(path, *given)

    monkeypatch.setattr(runner, "write_part", dying)
    with pytest.raises(KeyboardInterrupt, match="The same command with --resume goes on"):
        go(general, other)
    monkeypatch.setattr(runner, "write_part", write)
    stamps = {path: path.stat().st_mtime_ns for path in written}
    with pytest.raises(ValueError, match="--resume goes on with it"):
        go(general, other)
    resumed = go(general, other, resume=True)
    assert rows(other) == rows(trained) and resumed.found["methods"]
    assert {path: path.stat().st_mtime_ns for path in written} == stamps
    with pytest.raises(ValueError, match="is of another evaluation: rows.method.contexts.k: saved 2, given 3"):
        go(general, other, "contexts.rag.k=3", resume=True)


def test_a_method_that_fails_is_recorded_and_the_others_go_on(general: Path, trained: Path) -> None:
    text = general.read_text(encoding="utf-8")
    general.write_text(
        text
        + '\n[[eval.methods]]\nname = "broken"\nadapter = "oppu"\nsettings = { lora = { targets = ["nowhere"] } }\n',
        encoding="utf-8",
    )
    words = ["eval", str(general), "--out", str(trained), "--set", 'eval.rows=["base", "p2p"]', "--limit", "2"]
    done = CliRunner().invoke(cli.app, words)
    assert done.exit_code == 1 and "FAILED broken, dev: 4 of 4 rows: " in done.stdout and "nowhere" in done.stdout
    found = json.loads((trained / "results.json").read_text())
    assert found["failures"]["broken"]["dev"]["failed"] == 4 and "broken" not in found["methods"]
    assert (
        {"base", "p2p", "p2p+rag", "tuned"} <= set(found["methods"]) and found["queries"] == 4 and found["limit"] == 2
    )
    failed = [row for row in rows(trained) if row["method"] == "broken"]
    assert len(failed) == 4 and all(row["output"] is None and "nowhere" in row["failure"] for row in failed)


def test_several_seeds_are_several_trainings(tiny_recipe: Path, trained: Path) -> None:
    found = go(tiny_recipe, trained, 'eval.rows=["base", "p2p"]', "eval.seeds=[3, 4]").found
    assert found["seeds"] == [3, 4] and found["timing"]["methods"]["p2p"]["dev"]["rows"] == 12
    folders = sorted(path.name.split("-")[0] for path in (trained / "sources").iterdir())
    assert folders == ["mt_lora", "p2p"]  # the second seed's: the first's were there
    assert {row["seed"] for row in rows(trained)} == {3, 4}


def test_the_recipes_order_changes_no_row(tiny_recipe: Path, trained: Path) -> None:
    def found(*names: str) -> list[dict[str, Any]]:
        go(tiny_recipe, trained, f"eval.rows={json.dumps(names)}", overwrite=True)
        return rows(trained)

    assert found("base", "oppu", "p2p") == found("p2p", "oppu", "base")


def test_wrong_recipes_are_said_before_anything_is_made(tiny_recipe: Path, tmp_path: Path) -> None:
    for change, said in (
        ('eval.rows=["p2p+rga"]', r"no 'rga' in contexts; did you mean rag\?"),
        ('eval.rows=["opu"]', r"did you mean oppu\?"),
        ('eval.splits=["random"]', "eval.splits"),
    ):
        with pytest.raises(ValueError, match=said):
            go(tiny_recipe, tmp_path / "run", change)
    assert not (tmp_path / "run").exists()


def everything(out: Path) -> dict[str, bytes]:
    return {str(path.relative_to(out)): path.read_bytes() for path in out.rglob("*") if path.is_file()}


def test_a_finished_evaluation_is_deleted_by_overwrite_alone(tiny_recipe: Path, trained: Path) -> None:
    few = 'eval.rows=["base"]'
    go(tiny_recipe, trained, few, "eval.users_at_once=2")
    before = everything(trained)
    with pytest.raises(ValueError, match="has the rows of an evaluation: --resume keeps them .* --overwrite deletes"):
        go(tiny_recipe, trained, few)
    with pytest.raises(ValueError, match="expected one of the two"):
        go(tiny_recipe, trained, few, resume=True, overwrite=True)
    assert everything(trained) == before
    assert len(list((trained / "rows" / "dev").rglob("part-00001.parquet"))) == 8  # two chunks of each cell
    words = ["eval", str(tiny_recipe), "--out", str(trained), "--set", few, "--overwrite"]
    assert CliRunner().invoke(cli.app, words).exit_code == 0
    assert not list((trained / "rows").rglob("part-00001.parquet")) and len(rows(trained)) == 4 * 6


def test_a_wrong_recipe_changes_nothing_of_a_finished_evaluation(tiny_recipe: Path, trained: Path) -> None:
    few = 'eval.rows=["base", "rag"]'
    go(tiny_recipe, trained, few)
    before = everything(trained)
    for change, said in (
        ('eval.judge.rows=["bse"]', "eval.judge.rows has 'bse'; did you mean base"),
        ('eval.judge.tasks=["headlines"]', "eval.judge.tasks has 'headlines'"),
        ('eval.judge.splits=["random"]', "eval.judge.splits has 'random'"),
        ('eval.rows=["bse"]', "did you mean base"),
        ("contexts.rag.kk=3", "kk"),
        ("seed=9", "another recipe"),
    ):
        for kept in (True, False):
            with pytest.raises(ValueError, match=said):
                go(tiny_recipe, trained, few, change, resume=kept, overwrite=not kept)
    assert everything(trained) == before


@pytest.mark.parametrize("how", [{"resume": True}, {"overwrite": True}, {}])
def test_two_evaluations_are_not_at_work_in_one_folder(
    tiny_recipe: Path, trained: Path, how: dict[str, bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    few, answered, said = 'eval.rows=["base"]', evaluate.answer, []

    def meanwhile(*given: Any) -> None:
        before = everything(trained)
        for change in (few, "seed=9"):
            with pytest.raises(
                ValueError, match="another evaluation or training is at work in .*run: wait until it ends, or"
            ):
                go(tiny_recipe, trained, change, **how)
        assert everything(trained) == before
        said.append("refused")
        answered(*given)

    with monkeypatch.context() as busy:
        busy.setattr(evaluate, "answer", meanwhile)
        go(tiny_recipe, trained, few)
    assert said == ["refused"] and len(rows(trained)) == 4 * 6
    go(tiny_recipe, trained, few, overwrite=True)


def test_a_refused_start_leaves_no_folder_and_no_lock_in_anybody_s(tiny_recipe: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="eval.judge.rows"):
        go(tiny_recipe, tmp_path / "new", 'eval.judge.rows=["bse"]')
    assert not (tmp_path / "new").exists()
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "notes.txt").write_text("mine")
    with pytest.raises(ValueError, match="no run's folder"):
        go(tiny_recipe, mine)
    assert [path.name for path in mine.iterdir()] == ["notes.txt"]


@pytest.mark.parametrize(
    ("module", "name"), [(splitting, "keep"), (evaluate, "results"), (runs, "write_json"), (evaluate, "write_answers")]
)
def test_no_report_of_an_evaluation_whose_results_are_an_earlier_ones(
    tiny_recipe: Path, trained: Path, monkeypatch: pytest.MonkeyPatch, module: Any, name: str
) -> None:
    go(tiny_recipe, trained, 'eval.rows=["base"]')
    assert read_runs([trained])[0].results.methods["base"]
    more = 'eval.rows=["base", "rag"]'

    def dying(*given: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as broken, pytest.raises(KeyboardInterrupt):
        broken.setattr(module, name, dying)
        go(tiny_recipe, trained, more, resume=True)
    with pytest.raises(ValueError, match="stopped before its results were whole: go on with --resume"):
        read_runs([trained])
    with pytest.raises(ValueError, match="was stopped: --resume goes on"):
        go(tiny_recipe, trained, more)
    go(tiny_recipe, trained, more, resume=True)
    (healed,) = read_runs([trained])
    assert "rag" in healed.results.methods and "rag" in healed.marks.made
