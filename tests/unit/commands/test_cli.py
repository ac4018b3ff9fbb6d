"""The command line: help with examples, quick start, exit codes, one-line errors, JSON, every command on a tiny run."""

import json
import os
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from tailorlm import cli
from tailorlm.commands import chat, doctor, faults, forgetting

COMMANDS = (
    ["profile"],
    ["train"],
    ["eval"],
    ["personalize"],
    ["chat"],
    ["forget"],
    ["demo"],
    ["doctor"],
    ["data", "check"],
)


def tailor(*words: object, text: str | None = None, code: int = 0) -> Any:
    """Run a command in this process; what it printed."""
    done = CliRunner().invoke(cli.app, [str(word) for word in words], input=text)
    assert done.exit_code == code, (done.exit_code, done.stdout, done.stderr, done.exception)
    return done


def main(monkeypatch: pytest.MonkeyPatch, *words: object) -> int:
    """The console script itself; its exit code."""
    monkeypatch.setattr(sys, "argv", ["tailor", *map(str, words)])
    with pytest.raises(SystemExit) as end:
        cli.main()
    return int(end.value.code or 0)


def test_help_is_quick_and_loads_nothing_slow() -> None:
    code = (
        "import sys\nsys.argv = ['tailor', '--help']\nfrom tailorlm import cli\ntry:\n cli.main()\nexcept SystemExit:\n"
        " print('torch' in sys.modules, 'transformers' in sys.modules)"
    )
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    assert done.stdout.splitlines()[-1] == "False False" and "personalize" in done.stdout
    assert seconds < 0.5  # of processor time: a busy machine must not fail it


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_has_an_example_and_its_exit_codes(command: list[str]) -> None:
    said = " ".join(tailor(*command, "--help").stdout.split())
    assert f"Example: tailor {' '.join(command)}" in said and "Exit codes: 0 done" in said and "--json" in said


def test_version_and_unknown_commands() -> None:
    assert tailor("--version").stdout.strip() == "0.1.0"
    assert "frobnicate" in tailor("frobnicate", code=2).stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["data", "check", "nosuch.jsonl"], "nosuch.jsonl: no such file"),
        (["train", "nosuch.toml"], "recipe nosuch.toml: No such file"),
        (
            ["personalize", "nosuch", __file__, "--out", "x"],
            "nosuch is no folder here, and the hub did not give it",
        ),
        (["profile", "nosuch.jsonl"], "nosuch.jsonl: no such file"),
        (["personalize", "nosuch", "nosuch.jsonl", "--out", "x"], "nosuch.jsonl: no such file"),
    ],
)
def test_wrong_input_is_one_line_and_code_2(
    words: list[str], said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(monkeypatch, *words) == 2
    out, err = capsys.readouterr()
    assert err.startswith("tailor: ") and said in err and err.count("\n") == 1 and out == ""
    assert main(monkeypatch, *words, "--json") == 2
    assert said in json.loads(capsys.readouterr().out)["error"]


def test_a_traceback_only_when_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["tailor", "train", "nosuch.toml", "--traceback"])
    with pytest.raises(ValueError, match="recipe nosuch.toml"):
        cli.main()
    monkeypatch.setattr(sys, "argv", ["tailor", "train", "nosuch.toml"])
    monkeypatch.setenv("TAILOR_DEBUG", "1")
    with pytest.raises(ValueError, match="recipe nosuch.toml"):
        cli.main()


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (KeyboardInterrupt(), 130, "interrupted"),
        (RuntimeError("the user said: secret"), 1, "unexpected RuntimeError; run again with --traceback"),
        (RuntimeError("CUDA out of memory. Tried"), 1, "out of memory: use a smaller model"),
        (ImportError("No module named 'x'"), 1, "a package is missing or broken: No module named 'x'"),
        (FileNotFoundError(2, "No such file or directory", "a.txt"), 2, "No such file or directory: a.txt"),
        (OSError("line one\nline two"), 1, "line one line two"),
        (ValueError("secret text"), 1, "unexpected ValueError"),
    ],
)
def test_faults(error: BaseException, code: int, said: str) -> None:
    try:
        raise error
    except BaseException as caught:
        assert faults.code_of(caught) == code and faults.line_of(caught).startswith(said)
        assert "secret" not in faults.line_of(caught)


def test_data_check(tiny_users: Path, tmp_path: Path) -> None:
    said = tailor("data", "check", tiny_users).stdout
    assert "task movie_tagging: 30 items" in said and "labels: " in said and "no problems" in said
    found = json.loads(tailor("data", "check", tiny_users, "--json").stdout)
    assert found["users"] == 10 and found["interactions"] == 60
    bad = tmp_path / "bad.jsonl"
    bad.write_text(tiny_users.read_text() + '{"user_id": "x", "history": "secret"}\n', encoding="utf-8")
    said = tailor("data", "check", bad, code=2).stdout
    assert "1 problem, left out:" in said and "line 11, field history" in said and "secret" not in said
    (tmp_path / "none.jsonl").write_text("")
    assert json.loads(tailor("data", "check", tmp_path / "none.jsonl", "--json", code=2).stdout)["users"] == 0


def test_profile(tiny_users: Path, tiny_run: Path, tmp_path: Path) -> None:
    assert "in upper case" in tailor("profile", tiny_users).stdout
    [one] = json.loads(tailor("profile", tiny_users, "--id", "u3", "--json").stdout)["profiles"]
    assert one["user_id"] == "u3" and one["statements"][0]["facet"] == "history"
    said = tailor("profile", tiny_users, "--id", "u3", "--facets", "--checkpoint", tiny_run / "checkpoint").stdout
    assert said.startswith("# u3\nhistory = ")
    out = tmp_path / "profiles.jsonl"
    assert "10 profiles" in tailor("profile", tiny_users, "--out", out, "--task", "headline").stdout
    lines = [json.loads(line) for line in out.read_text().splitlines()]
    assert len(lines) == 10 and {line["task"] for line in lines} == {"headline"} and out.stat().st_mode & 0o77 == 0
    with pytest.raises(ValueError, match="no user 'nobody'"):
        CliRunner().invoke(cli.app, ["profile", str(tiny_users), "--id", "nobody"], catch_exceptions=False)


def test_personalize(tiny_users: Path, tiny_run: Path, tmp_path: Path) -> None:
    more = tmp_path / "users.jsonl"
    more.write_text(
        "".join(tiny_users.read_text().splitlines(True)[:3])
        + '{"user_id": "new", "history": []}\n{"user_id": "../odd", "history": [{"input": "a", "output": "b"}]}\n'
    )
    out = tmp_path / "adapters"
    words = ("personalize", tiny_run / "checkpoint", more, "--out", out, "--batch", 2, "--json")
    found = json.loads(tailor(*words).stdout)
    assert found["users"] == 5 and set(found["notes"]) == {"new", "../odd"} and not found["refused"]
    assert sorted(path.name for path in out.iterdir()) == ["%2E.%2Fodd", "new", "u0", "u1", "u2"]
    again = tailor("personalize", tiny_run / "checkpoint", more, "--out", out, "--strength", "0.5").stdout
    assert "5 adapters in" in again and "notes: user new: nothing personal to go by" in again
    assert (
        "--strength"
        in tailor("personalize", tiny_run / "checkpoint", more, "--out", out, "--strength", "2.0", code=2).stderr
    )


def test_personalize_reports_whom_it_cannot_serve(tiny_recipe: Path, tiny_users: Path, tmp_path: Path) -> None:
    from tailorlm.tailor import Tailor

    told = [json.loads(line) | {"profile": "likes rain"} for line in tiny_users.read_text().splitlines()]
    data = tmp_path / "told.jsonl"
    data.write_text("".join(json.dumps(line) + "\n" for line in told))
    net = ["methods.p2p.net.pool=attention", "methods.p2p.net.head=L"]
    changes = [*net, "profile.kind=given", 'start="base"']
    Tailor.train(tiny_recipe, tmp_path / "run", overrides=changes, data=data)
    users = tmp_path / "users.jsonl"
    lines = [{"user_id": f"u{n}", "history": [], "profile": "word " * (200 if n == 1 else 2)} for n in range(3)]
    users.write_text("".join(json.dumps(line) + "\n" for line in lines))
    words = ("personalize", tmp_path / "run" / "checkpoint", users, "--out", tmp_path / "out", "--json")
    found = json.loads(tailor(*words, code=2).stdout)
    assert found["users"] == 2 and list(found["refused"]) == ["u1"] and "at most 512" in found["refused"]["u1"]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["u0", "u2"]


def test_train_and_eval(tiny_recipe: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    rows = 'eval.rows=["base", "base_profile", "mt_lora", "p2p", "p2p_shuffled", "oppu"]'
    done = tailor("train", tiny_recipe, "--out", run, "--set", "methods.p2p.train.steps=3", "--json")
    assert json.loads(done.stdout)["checkpoint"] == str(run / "checkpoint")
    words = ("eval", tiny_recipe, "--out", run, "--set", "methods.p2p.train.steps=3", "--set", rows, "--set",
             "eval.oppu_users=2")  # fmt: skip
    found = json.loads(tailor(*words, "--json").stdout)
    names = {
        "base",
        "base_profile",
        "mt_lora",
        "p2p",
        "p2p_shuffled",
        "oppu",
        "floor_majority",
        "floor_user",
        "floor_copy",
    }
    assert set(found["methods"]) == names and found["users"] == {"dev": 3, "train": 7, "oppu": 2}
    assert set(found["methods"]["p2p"]["dev"]) == {"headline", "movie_tagging", "average"}
    assert found["differences"]["p2p - mt_lora"]["dev"]["average"]["low"] <= 1 and found["queries"] == 6
    assert set(found["same_users"]) == names and found["harmed"]["base_profile"]["dev"] <= 1
    for name in ("results.json", "answers.jsonl", "report.html", "recipe.toml", "run.json"):
        assert (run / name).stat().st_mode & 0o77 == 0, name
    line = json.loads((run / "answers.jsonl").read_text().splitlines()[0])
    assert set(line["outputs"]) >= names - {"oppu"} and line["profile"]
    said = tailor(*words, "--overwrite").stdout
    assert "p2p - mt_lora, average: " in said and "report.html" in said


def test_eval_trains_first_and_wants_two_users(tiny_recipe: Path, tmp_path: Path) -> None:
    done = tailor("eval", tiny_recipe, "--out", tmp_path / "run", "--set", 'eval.rows=["p2p"]')
    assert (tmp_path / "run" / "checkpoint" / "config.json").exists() and "p2p" in done.stdout.lower()
    assert "24 of 24 rows" in done.stderr
    few = CliRunner().invoke(
        cli.app, ["eval", str(tiny_recipe), "--out", str(tmp_path / "r"), "--set", "data.dev_users=1"]
    )
    assert isinstance(few.exception, ValueError) and "intervals need at least 2" in str(few.exception)


def test_train_says_how_to_go_on(
    tiny_recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from tailorlm.assembly import build
    from tailorlm.training.interrupts import Interrupted

    def stop(*given: object) -> None:
        raise Interrupted("the loop's own words", 2)

    monkeypatch.setattr(build, "train", stop)
    assert main(monkeypatch, "train", tiny_recipe, "--out", tmp_path / "run") == 130
    said = capsys.readouterr().err
    assert "interrupted after step 2;" in said and "The same command with --resume goes on." in said


def test_forget(tiny_run: Path, tiny_users: Path, tmp_path: Path) -> None:
    from tailorlm import Tailor
    from tailorlm.data.load import load

    one = Tailor.from_pretrained(tiny_run / "checkpoint", cache=tmp_path)
    one.personalize(users=load(tiny_users).users["u1"])
    found = json.loads(tailor("forget", "u1", "--cache", tmp_path, "--json").stdout)
    assert found["vectors"] > 0
    assert "0 vectors of user u1" in tailor("forget", "u1", "--cache", tmp_path).stdout
    with pytest.raises(ValueError, match=r"no cache: it has neither vectors\.sqlite nor replies\.sqlite"):
        forgetting.run("u1", tmp_path / "other")


def test_forget_replies(tmp_path: Path) -> None:
    from tailorlm.data.records import Interaction, User
    from tailorlm.profiles.endpoint import Endpoint, Settings
    from tailorlm.profiles.llm import Summariser
    from tailorlm.profiles.replies import CachedReplies

    class Echo(Endpoint):
        def _reply(self, prompt: str) -> str:
            return prompt

    cached = CachedReplies(Echo(Settings("http://localhost/v1", "m")), tmp_path)
    users = [User(f"u{n}", (Interaction("a", f"said by {n}"),)) for n in range(2)]
    assert len(Summariser(cached, "m")(users)) == 2 == len(cached)
    cached(["about no user"])
    found = forgetting.run("u1", tmp_path)
    assert found.found == {"user": "u1", "replies": 1} and len(cached) == 2
    assert found.lines[0] == "1 reply of user u1 deleted" and found.lines[1].startswith("1 reply of nobody")
    assert b"said by 1" not in cached.file.read_bytes() and b"said by 0" in cached.file.read_bytes()


def test_chat(tiny_users: Path, tiny_run: Path) -> None:
    text = "hello\n/base\n\n/new\n/base\n/profile\n/what\n" + "x" * 3000 + "\n/quit\nafter\n"
    words = ("chat", tiny_run / "checkpoint", "--user", tiny_users, "--id", "u2", "--max-new-tokens", "4")
    done = tailor(*words, text=text)
    assert done.stdout.count("[tailored]") == 1 and done.stdout.count("[base]") == 1
    assert "u2 as the model was told:" in done.stderr and "/new starts again" in done.stderr
    lines = [json.loads(line) for line in tailor(*words, "--json", text="hi\n/base").stdout.splitlines()]
    assert [line["model"] for line in lines] == ["tailored", "base"]


def test_chat_wants_one_user(tiny_users: Path) -> None:
    with pytest.raises(ValueError, match="several users: name one with --id"):
        chat.chosen(tiny_users, None)
    with pytest.raises(ValueError, match="no user 'x'"):
        chat.chosen(tiny_users, "x")


def test_doctor(monkeypatch: pytest.MonkeyPatch) -> None:
    found = json.loads(tailor("doctor", "--json").stdout)
    assert found["needed"]["torch"] and found["dtype"] in ("float32", "bfloat16") and found["slow"]
    assert "dtype auto is" in tailor("doctor").stdout
    real = doctor.installed
    monkeypatch.setattr(doctor, "installed", lambda name: None if name in ("rich", "peft") else real(name))
    said = tailor("doctor", code=1).stdout
    assert "rich MISSING" in said and "peft not installed" in said and "missing: rich" in said


@pytest.mark.parametrize(
    ("device", "dtype", "said"),
    [("cuda", "bfloat16", "the GPU multiplies"), ("cuda", "float32", "older than Ampere"), ("cpu", "bfloat16", "AMX")],
)
def test_why_a_dtype(device: str, dtype: str, said: str) -> None:
    assert said in doctor.why(device, dtype)


def test_demo_runs_the_demo(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import types

    seen: dict[str, object] = {}

    def pretend(out: Path, seed: int = 0, **rest: object) -> dict[str, int]:
        seen.update(out=out, seed=seed)
        return {"seed": seed}

    monkeypatch.setitem(sys.modules, "tailorlm.demo.run", types.SimpleNamespace(main=pretend))  # type: ignore[arg-type]
    assert json.loads(tailor("demo", "--out", tmp_path, "--seed", 4, "--json").stdout) == {"seed": 4}
    assert seen == {"out": tmp_path, "seed": 4}


def test_a_closed_pipe_is_no_crash(tiny_users: Path) -> None:
    words = [sys.executable, "-m", "tailorlm.cli", "profile", str(tiny_users)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment) as process:
        assert process.stdout is not None and process.stderr is not None
        process.stdout.close()
        assert b"Traceback" not in process.stderr.read()
