"""`tailor eval` with [eval.judge], end to end on a tiny base: results, the terminal, the report, and going on."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from judge_server import JudgeServer, good
from typer.testing import CliRunner

from tailorlm import cli
from tailorlm.commands import evaluate
from tailorlm.evaluation import runner_judge


@pytest.fixture
def server() -> Iterator[JudgeServer]:
    found = JudgeServer(lambda answer, before: good(1 + len(answer) % 5))
    yield found
    found.close()


@pytest.fixture
def trained(tiny_run: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_run, tmp_path / "run"))


def words(recipe: Path, out: Path, *more: str) -> list[str]:
    return ["eval", str(recipe), "--out", str(out), "--set", 'eval.rows=["base", "base_profile"]', *more]


def endpoint(server: JudgeServer) -> list[str]:
    said = {"url": server.url, "model": "judge-model", "retries": 0}
    return [word for name, value in said.items() for word in ("--set", f"eval.judge.endpoint.{name}={value}")]


def test_a_judged_evaluation(tiny_recipe: Path, trained: Path, server: JudgeServer) -> None:
    done = CliRunner().invoke(cli.app, words(tiny_recipe, trained, *endpoint(server)))
    assert done.exit_code == 0, done.stderr
    assert "The judge, 1 to 5 (judge-1:" in done.stdout and "judge-model" in done.stdout
    found = json.loads((trained / "results.json").read_text())
    tasks = found["judge"]["methods"]["base"]["dev"]
    assert set(tasks) == {"headline"} and tasks["headline"]["judged"] == 3 and 1 <= tasks["headline"]["mean"] <= 5
    assert found["attributes"]["base"]["dev"]["headline"]["judge"] == tasks["headline"]["mean"]
    assert "judge" not in found["attributes"]["base"]["dev"]["movie_tagging"]
    assert "Judge, 1 to 5" in (trained / "report.html").read_text(encoding="utf-8")
    asked = len(server.prompts)  # of equal requests one, of floors none
    assert 0 < asked <= 6 and set(found["judge"]["methods"]) == {"base", "base_profile"}
    again = CliRunner().invoke(cli.app, words(tiny_recipe, trained, *endpoint(server), "--resume"))
    assert again.exit_code == 0 and len(server.prompts) == asked
    assert json.loads((trained / "results.json").read_text())["judge"] == found["judge"]


def test_answers_are_judged_later_and_anew_when_they_are_made_anew(
    tiny_recipe: Path, trained: Path, server: JudgeServer
) -> None:
    first = CliRunner().invoke(cli.app, words(tiny_recipe, trained, "--set", 'eval.judge.tasks=["headline"]'))
    assert first.exit_code == 0 and "eval.judge has no endpoint: nothing is judged" in first.stderr
    assert "judge" not in json.loads((trained / "results.json").read_text())
    stamps = {path: path.stat().st_mtime_ns for path in (trained / "rows").rglob("*.parquet")}
    CliRunner().invoke(cli.app, words(tiny_recipe, trained, *endpoint(server), "--resume"))
    assert {path: path.stat().st_mtime_ns for path in stamps} == stamps  # no answer is made again
    assert server.prompts and len(list((trained / "judged").rglob("*.parquet"))) == 2
    CliRunner().invoke(cli.app, words(tiny_recipe, trained, "--set", "eval.judge.tasks=[]", "--overwrite"))
    assert not list((trained / "judged").rglob("*.parquet"))  # they were of the rows that are gone


def test_what_the_judge_could_not_be_asked_fails_the_command(
    tiny_recipe: Path, trained: Path, server: JudgeServer
) -> None:
    server.script = lambda answer, before: (500, "", 0.0)
    done = CliRunner().invoke(cli.app, words(tiny_recipe, trained, *endpoint(server)))
    assert done.exit_code == 1 and "HTTP 500" in done.stdout and "3 failed" in done.stdout
    found = json.loads((trained / "results.json").read_text())
    assert found["methods"]["base"] and found["attributes"]["base"]["dev"]["headline"]["failed"] == 3


def test_a_judge_of_what_is_not_there_is_refused_before_anything_is_answered(
    tiny_recipe: Path, trained: Path, server: JudgeServer
) -> None:
    with pytest.raises(ValueError, match="eval.judge.tasks has 'headlines'; did you mean headline"):
        evaluate.run(tiny_recipe, ['eval.judge.tasks=["headlines"]'], None, trained, False)
    assert not list((trained / "rows").rglob("*.parquet"))


def test_an_interrupted_judge_says_how_to_go_on(
    tiny_recipe: Path, trained: Path, server: JudgeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def dying(*given: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(runner_judge, "judge", dying)
    with pytest.raises(KeyboardInterrupt, match="--resume goes on"):
        evaluate.run(tiny_recipe, [f"eval.judge.endpoint.url={server.url}", "eval.judge.endpoint.model=m"], None,
                     trained, False)  # fmt: skip
    assert json.loads((trained / "rows" / ".plan.json").read_text()) == {"finished": False}
