"""The demo's folder: what an earlier demo wrote is replaced, and nothing else."""

import stat
from pathlib import Path

import pytest

from tailorlm.demo.run import MARK, fresh_folder


def test_only_a_demo_is_replaced(tmp_path: Path) -> None:
    out = fresh_folder(tmp_path / "demo")
    assert stat.S_IMODE(out.stat().st_mode) == 0o700
    (out / "users").mkdir()
    (out / "users" / "x.jsonl").write_text("x")
    (out / "report.html").write_text("x")
    assert [path.name for path in fresh_folder(out).iterdir()] == [MARK]


def test_a_run_that_was_trained_into_a_demo_stays(tmp_path: Path) -> None:
    out = fresh_folder(tmp_path / "demo")
    (out / "recipe.toml").write_text("mine")
    (out / "users").mkdir()
    with pytest.raises(ValueError, match="with 'recipe.toml', which no demo made"):
        fresh_folder(out)
    assert (out / "recipe.toml").read_text() == "mine" and (out / "users").is_dir()


def test_an_empty_folder_keeps_its_mode(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir(mode=0o755)
    assert stat.S_IMODE(fresh_folder(tmp_path / "mine").stat().st_mode) == 0o755
