"""What a person meets at the command line: wrong options as JSON too, paths told apart early, no noise of others."""

import io
import json
import os
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

from tailorlm import cli
from tailorlm.commands import chat, checkdata, places, quiet
from tailorlm.commands import profile as profiles
from tailorlm.commands.result import counted


def main(monkeypatch: pytest.MonkeyPatch, *words: object) -> int:
    """The console script itself; its exit code."""
    monkeypatch.setattr(sys, "argv", ["tailor", *map(str, words)])
    try:
        cli.main()
    except SystemExit as end:
        return int(end.code or 0)
    return 0


@pytest.fixture(autouse=True)
def same_warnings_after() -> object:
    with warnings.catch_warnings():
        yield


def test_a_wrong_option_is_json_too(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(monkeypatch, "train", "--json") == 2
    out, err = capsys.readouterr()
    found = json.loads(out)
    assert found["code"] == 2 and "recipe" in found["error"] and err.startswith("Usage: tailor train")
    assert main(monkeypatch, "profile", "x.jsonl", "--frobnicate") == 2
    out, err = capsys.readouterr()
    assert out == "" and "--frobnicate" in err


def test_help_and_version_end_well(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("COLUMNS", "80")  # help is cut to the terminal's width, whatever that is where this runs
    assert main(monkeypatch, "--version") == 0 and main(monkeypatch, "chat", "--help") == 0
    capsys.readouterr()
    assert main(monkeypatch, "--help") == 0
    listed = capsys.readouterr().out.split("Commands:")[1].split("Start with")[0]
    assert "..." not in listed  # every command's line is whole


def test_paths_are_told_apart(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("x")
    assert places.users_in(file) == file and places.new_file(tmp_path / "y") == tmp_path / "y"
    assert places.new_folder(tmp_path / "new") == tmp_path / "new"
    with pytest.raises(ValueError, match="LaMP_9: no such file"):
        places.users_in(tmp_path / "LaMP_9")
    with pytest.raises(ValueError, match="is a folder; expected a file"):
        places.new_file(tmp_path)
    with pytest.raises(ValueError, match="there is no folder"):
        places.new_file(tmp_path / "no" / "x.jsonl")
    with pytest.raises(ValueError, match="file is a file; expected a folder"):
        places.new_folder(file)


def test_no_file_is_replaced_unasked(tiny_users: Path, tmp_path: Path) -> None:
    own = tmp_path / "users.jsonl"
    own.write_bytes(tiny_users.read_bytes())
    (tmp_path / "link.jsonl").symlink_to(own)
    for out in (own, tmp_path / "link.jsonl"):  # also with --overwrite: it is what is read
        with pytest.raises(ValueError, match="is a file that is read: choose another --out"):
            profiles.run(own, out, None, None, None, False, "stop", None, overwrite=True)
    with pytest.raises(ValueError, match="is a file that is read"):
        profiles.run(tmp_path, own, None, None, None, False, "stop", None, overwrite=True)
    assert own.read_bytes() == tiny_users.read_bytes()
    other = tmp_path / "notes.jsonl"
    other.write_text("mine")
    with pytest.raises(ValueError, match="is there already: .*--overwrite"):
        profiles.run(own, other, None, None, None, False, "stop", None)
    assert other.read_text() == "mine"
    profiles.run(own, other, None, None, None, False, "stop", None, overwrite=True)
    assert len(other.read_text().splitlines()) == 10


def test_an_empty_file_is_not_called_good(tmp_path: Path) -> None:
    empty = tmp_path / "empty.jsonl"
    empty.write_text("")
    found = checkdata.run(empty, "skip", None)
    assert found.code == 2 and found.lines[-1].startswith("no users") and "no problems" not in found.lines


def test_a_task_that_nobody_has_is_refused(tiny_users: Path) -> None:
    with pytest.raises(ValueError, match="no history of task 'cooking'; there is: headline, movie_tagging"):
        profiles.run(tiny_users, None, None, "cooking", None, False, "stop", None)


def test_counted() -> None:
    assert [counted(n, "user") for n in (0, 1, 2000)] == ["0 users", "1 user", "2,000 users"]


def test_others_deprecations_are_hushed_and_ours_are_not() -> None:
    warnings.simplefilter("error")
    quiet.hush()
    warnings.warn_explicit("old", FutureWarning, "x.py", 1, module="transformers.modeling_utils")
    for module in ("tailorlm.data", "transformers_like"):
        with pytest.raises(FutureWarning):
            warnings.warn_explicit("old", FutureWarning, "x.py", 1, module=module)


def test_bars_of_loading_are_off_in_commands_only() -> None:
    code = (
        "from tailorlm.commands.quiet import no_bars_of_loading\nfrom transformers.utils import logging\n"
        "logging.enable_progress_bar()\nprint(logging.is_progress_bar_enabled())\n"
        "no_bars_of_loading()\nprint(logging.is_progress_bar_enabled())"
    )
    plain = {name: value for name, value in os.environ.items() if "PROGRESS" not in name}  # CI may have them off
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=plain)
    assert done.stdout.split() == ["True", "False"]


@pytest.mark.parametrize("bad", [b"caf\xe9", b"\xff\xfe", b"\xed\xa0\x80"])
def test_a_line_that_is_not_utf8_is_not_sent(
    bad: bytes, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"one\n" + bad + b"\nna\xc3\xafve\n"), "utf-8"))
    chat.read_leniently()
    asked: list[str] = []

    def answer(messages: list[dict[str, str]], own: bool) -> str:
        asked.append(messages[-1]["content"])
        return "yes"

    assert chat.converse(answer, lambda who, text: None, "", lambda: chat.read("")) == 2
    assert asked == ["one", "naïve"] and "that line is not UTF-8 text; it was not sent" in capsys.readouterr().err
