"""`tailor report`: help with examples, where the page goes, what is said in the terminal and in JSON, errors."""

import json
import stat
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from tailorlm import cli

RESULTS: dict[str, Any] = {
    "methods": {"base": {"random": {"rating": 0.5}}, "p2p": {"random": {"rating": 0.625}}},
    "users": {"random": 2}, "commit": "a40df45", "machine": "here",
}  # fmt: skip
SECRET = "what a user wrote"


def run(folder: Path, users: int = 2, text: str = SECRET, **changed: Any) -> Path:
    """A run's folder with results and answers."""
    folder.mkdir()
    (folder / "results.json").write_text(json.dumps({**RESULTS, **changed}))
    rows = [
        {"split": "random", "user_id": f"u{n}", "task": "rating", "input": f"{text} {n}", "target": "3",
         "outputs": {"base": "1", "p2p": "3"}}
        for n in range(users)
    ]  # fmt: skip
    (folder / "answers.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


def tailor(*words: object, code: int = 0) -> Any:
    done = CliRunner().invoke(cli.app, ["report", *map(str, words)])
    assert done.exit_code == code, (done.exit_code, done.stdout, done.stderr, done.exception)
    return done


def refused(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *words: object) -> str:
    """What the console script says when it refuses."""
    monkeypatch.setattr("sys.argv", ["tailor", "report", *map(str, words)])
    with pytest.raises(SystemExit) as end:
        cli.main()
    assert end.value.code == 2
    return capsys.readouterr().err


def test_help_has_examples_and_exit_codes() -> None:
    said = " ".join(tailor("--help").stdout.split())
    assert "Example: tailor report runs/movie_tagging" in said and "--out k.html --share" in said
    assert "Exit codes: 0 done" in said and "--against" in said and "--json" in said


def test_one_run_has_its_page_in_its_folder(tmp_path: Path) -> None:
    folder = run(tmp_path / "a")
    said = tailor(folder).stdout
    assert "Unseen users (2 of them)" in said and "62.5" in said and "report.html" in said
    assert "with texts of users: --share leaves them out" in said and SECRET not in said
    page = folder / "report.html"
    assert SECRET in page.read_text() and stat.S_IMODE(page.stat().st_mode) == 0o600
    assert SECRET not in (folder / "report.md").read_text()


def test_a_page_to_share_has_no_texts(tmp_path: Path) -> None:
    out = tmp_path / "page.html"
    assert "texts of users" not in tailor(run(tmp_path / "a"), "--share", "--out", out).stdout
    assert SECRET not in out.read_text() and stat.S_IMODE(out.stat().st_mode) == 0o644


def test_a_page_is_replaced_only_where_that_is_said(tmp_path: Path) -> None:
    folder, out = run(tmp_path / "a"), tmp_path / "page.html"
    out.write_text("mine")
    done = CliRunner().invoke(cli.app, ["report", str(folder), "--out", str(out)])
    assert "is there already" in str(done.exception) and out.read_text() == "mine"
    tailor(folder, "--out", out, "--overwrite")
    tailor(folder)
    tailor(folder)  # a run's own page is the run's
    assert "Unseen users" in out.read_text()


def test_json_has_what_programs_need(tmp_path: Path) -> None:
    runs = [run(tmp_path / "a"), run(tmp_path / "b", machine="there")]
    found = json.loads(tailor(*runs, "--out", tmp_path / "x.html", "--against", "p2p", "--json").stdout)
    assert found["report"].endswith("x.html") and found["against"] == "p2p" and len(found["runs"]) == 2
    assert found["methods"]["p2p"]["random"]["rating"] == 0.625 and found["figures"] == []
    assert "Cumulative time over users (P2P figure 4)" in found["missing"]
    assert found["remarks"] == ["The machines differ: here (a); there (b). Their seconds and bytes do not compare."]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["{a}", "{b}"], "2 runs: say with --out FILE.html where the page goes"),
        (["{a}", "--out", "{x}/none/p.html"], "there is no folder"),
        (["{a}", "--out", "{x}/p.pdf"], "expected a name that ends in .html"),
        (["{a}", "{a}", "--out", "{x}/p.html"], "is given twice"),
        (["{a}", "--against", "oppu"], "--against oppu: there are scores of: base, p2p"),
        (["{x}"], "has no results.json"),
        (["{x}/none"], "no such folder"),
        (["{a}", "{other}", "--out", "{x}/p.html"], "a and other cannot stand on one page"),
    ],
)
def test_errors_are_one_line_for_people(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    places = {"a": run(tmp_path / "a"), "b": run(tmp_path / "b"), "x": tmp_path}
    other = run(tmp_path / "other", users=3)
    rows = [json.loads(line) | {"target": "1"} for line in (other / "answers.jsonl").read_text().splitlines()]
    (other / "answers.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    line = refused(monkeypatch, capsys, *(word.format(**places, other=other) for word in words))
    assert said in " ".join(line.split()) and line.startswith("tailor: ") and line.count("\n") == 1
    assert SECRET not in line and not list(tmp_path.glob("p.*"))
