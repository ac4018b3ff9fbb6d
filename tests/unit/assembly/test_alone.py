"""One at a time in a run's folder, also between processes and after a kill."""

import errno
import shutil
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tailorlm.assembly import alone as module
from tailorlm.assembly import build
from tailorlm.assembly.alone import alone
from tailorlm.assembly.recipes import read
from tailorlm.assembly.run_folders import check_ours
from tailorlm.commands import evaluate

OTHER = """
import sys
from pathlib import Path
from tailorlm.assembly.alone import alone
with alone(Path(sys.argv[1]), "another evaluation"):
    print("in", flush=True)
    sys.stdin.read()
"""


def test_the_second_is_refused_and_the_folder_is_free_at_the_end(tmp_path: Path) -> None:
    run = tmp_path / "new" / "run"
    with alone(run, "another evaluation"):
        for _ in range(2):
            with pytest.raises(ValueError, match="another evaluation is at work in .*run: wait until it ends"):
                alone(run, "another evaluation").__enter__()
        with alone(tmp_path / "other", "another evaluation"):
            pass
    with pytest.raises(KeyError), alone(run, "another evaluation"):
        raise KeyError
    with alone(run, "another evaluation"):
        pass
    assert [path.name for path in run.iterdir()] == [".lock"] and not (run / ".lock").stat().st_size
    assert stat.S_IMODE((run / ".lock").stat().st_mode) == 0o600 and stat.S_IMODE(run.stat().st_mode) == 0o700
    check_ours(run)  # nothing of anybody's


def test_a_killed_process_holds_no_folder(tmp_path: Path) -> None:
    other = subprocess.Popen(
        [sys.executable, "-c", OTHER, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert other.stdout is not None and other.stdout.readline() == "in\n"
    with pytest.raises(ValueError, match="is at work"):
        alone(tmp_path, "another evaluation").__enter__()
    other.kill()
    other.communicate()
    with alone(tmp_path, "another evaluation"):
        pass


def test_a_file_system_without_locks_keeps_nobody_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def none(handle: int, how: int) -> None:
        raise OSError(errno.ENOLCK, "no locks available")

    monkeypatch.setattr(module.fcntl, "flock", none)
    with alone(tmp_path, "a"), alone(tmp_path, "b"):
        pass


def test_a_training_and_an_evaluation_are_not_at_work_in_one_folder(
    tiny_run: Path, tiny_recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe, run, said = read(tiny_recipe), tmp_path / "run", []
    shutil.copytree(tiny_run, run)
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    with alone(run, "an evaluation"), pytest.raises(ValueError, match="evaluation or training is at work in .*run: wa"):
        build.train(recipe, run, resume=True)
    assert {path: path.read_bytes() for path in run.rglob("*") if path.is_file()} == before
    trained = build.train_network

    def meanwhile(*given: Any) -> Path:
        with pytest.raises(ValueError, match="evaluation or training is at work in .*run: wait"):
            evaluate.run(tiny_recipe, [], None, run, False, 0, True)
        said.append("refused")
        return trained(*given)

    monkeypatch.setattr(build, "train_network", meanwhile)
    build.train(recipe, run, resume=True)
    assert said == ["refused"]
    with alone(run, "anybody"):  # free again
        pass


def test_a_training_locks_nobody_s_folder(tiny_recipe: Path, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(ValueError, match="no run's folder"):
        build.train(read(tiny_recipe), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]
