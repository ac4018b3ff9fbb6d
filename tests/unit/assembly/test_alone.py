"""One at a time in a run's folder, also between processes and after a kill."""

import errno
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tailorlm.assembly import alone as module
from tailorlm.assembly.alone import alone
from tailorlm.assembly.run_folders import check_ours

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
