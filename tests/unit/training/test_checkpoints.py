"""Files whole or not at all, the last n kept, damage told, curves cut back."""

import os
import stat
from pathlib import Path

import pytest
import torch

from tailorlm.training import checkpoints
from tailorlm.training.curve import Curve, read_curve


def test_the_last_n_are_kept(tmp_path: Path) -> None:
    for step in (1, 2, 10, 300):
        checkpoints.save_step(tmp_path, step, {"step": step}, keep=2)
    names = [path.name for path in checkpoints.saved_steps(tmp_path)]
    assert names == ["step-000000010.pt", "step-000000300.pt"]
    assert checkpoints.read(checkpoints.saved_steps(tmp_path)[-1]) == {"step": 300}


def test_a_write_that_fails_leaves_the_old_file_and_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / checkpoints.BEST
    checkpoints.write(path, {"a": torch.ones(2)})

    def full(content: object, file: object) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(OSError, match="no space"):
        checkpoints.write(path, {"a": torch.zeros(2)})
    monkeypatch.undo()
    assert torch.equal(checkpoints.read(path)["a"], torch.ones(2))
    assert os.listdir(tmp_path) == [checkpoints.BEST]


def test_what_a_killed_writer_left_is_cleared_and_never_read(tmp_path: Path) -> None:
    (tmp_path / ".step-000000005.pt.77.part").write_bytes(b"half")
    assert checkpoints.saved_steps(tmp_path) == []
    checkpoints.clear_leftovers(tmp_path)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("damage", [b"", b"not a checkpoint", None])
def test_a_damaged_file_is_named(tmp_path: Path, damage: bytes | None) -> None:
    path = checkpoints.save_step(tmp_path, 7, {"a": torch.ones(1000)}, keep=1)
    path.write_bytes(path.read_bytes()[:900] if damage is None else damage)
    with pytest.raises(ValueError, match=r"step-000000007\.pt is not a readable checkpoint"):
        checkpoints.read(path)
    with pytest.raises(FileNotFoundError):
        checkpoints.read(tmp_path / "absent.pt")


def test_a_checkpoint_cannot_run_code(tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return os.system, (f"touch {tmp_path}/ran",)

    torch.save(Evil(), tmp_path / "evil.pt")
    with pytest.raises(ValueError, match="not a readable checkpoint"):
        checkpoints.read(tmp_path / "evil.pt")
    assert not (tmp_path / "ran").exists()


def test_a_folder_that_is_there_keeps_its_mode(tmp_path: Path) -> None:
    open_folder = tmp_path / "run"
    open_folder.mkdir(mode=0o755)
    checkpoints.make_private(open_folder)
    assert stat.S_IMODE(open_folder.stat().st_mode) == 0o755  # somebody made it so
    checkpoints.make_private(tmp_path / "made" / "here")
    assert stat.S_IMODE((tmp_path / "made" / "here").stat().st_mode) == 0o700


def test_a_curve_is_cut_back_and_a_torn_line_is_dropped(tmp_path: Path) -> None:
    path = tmp_path / "curve.jsonl"
    values = [0.1, 1 / 3, 2e-17, 7.0]
    curve = Curve(path, 0)
    for step, value in enumerate(values, 1):
        curve.add({"step": step, "loss": value})
    curve.sync()
    curve.close()
    with path.open("a", encoding="utf-8") as file:
        file.write('{"step": 5, "lo')
    assert [record["loss"] for record in read_curve(path)] == values
    again = Curve(path, 2)
    again.add({"step": 3, "loss": 9.0})
    again.close()
    assert [(record["step"], record["loss"]) for record in read_curve(path)] == [
        (1, 0.1),
        (2, 1 / 3),
        (3, 9.0),
    ]
    assert read_curve(tmp_path / "absent.jsonl") == []
