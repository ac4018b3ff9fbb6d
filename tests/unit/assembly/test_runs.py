"""Run folders: private, resumable, never of two recipes; what stands beside the results."""

import json
import stat
from pathlib import Path

import pytest

from tailorlm.assembly import build, runs
from tailorlm.assembly.recipes import read
from tailorlm.hypernet.checkpoint import from_pretrained


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_runs_folder_is_private_and_says_what_it_holds(tiny_run: Path, tiny_recipe: Path) -> None:
    assert mode(tiny_run) == 0o700 and mode(tiny_run / "recipe.toml") == 0o600
    assert read(tiny_run / "recipe.toml") == read(tiny_recipe)
    found = json.loads((tiny_run / "run.json").read_text())
    assert found["seed"] == 3 and found["training_users"] == 7 and found["tasks"] == ["headline", "movie_tagging"]
    assert found["commit"] and found["versions"]["torch"] and found["facets"] > 8
    _, meta = from_pretrained(tiny_run / "checkpoint")
    assert meta.recipe["recipe"]["seed"] == 3 and meta.recipe["use"]["fingerprint"] and meta.recipe["commit"]


def test_a_run_of_another_recipe_is_left_alone(tiny_run: Path, tiny_recipe: Path) -> None:
    before = (tiny_run / "recipe.toml").read_bytes()
    with pytest.raises(ValueError, match=r"another recipe: methods.p2p.train.steps: saved 4, given 5; choose"):
        build.train(read(tiny_recipe, ["methods.p2p.train.steps=5"]), tiny_run, resume=True)
    assert (tiny_run / "recipe.toml").read_bytes() == before
    runs.check_run(tiny_run, read(tiny_recipe, ["eval.resamples=7"]))  # evaluation may change


def test_what_cannot_start_leaves_no_folder(tiny_recipe: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="base.name ./nowhere: no such folder"):
        build.train(read(tiny_recipe, ["base.name=./nowhere"]), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_finished_run_needs_resume_and_resuming_changes_nothing(tiny_run: Path, tiny_recipe: Path) -> None:
    recipe = read(tiny_recipe)
    with pytest.raises(ValueError, match="has a run already"):
        build.train(recipe, tiny_run)
    before, _ = from_pretrained(tiny_run / "checkpoint")
    after, _ = from_pretrained(build.train(recipe, tiny_run, resume=True))
    assert all((after.state_dict()[name] == value).all() for name, value in before.state_dict().items())


def test_a_stopped_run_goes_on_to_the_same_end(
    tiny_run: Path, tiny_recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tailorlm.methods import p2p

    prepare = p2p.Source.prepare

    def stop(*given: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(p2p.Source, "prepare", stop)
    with pytest.raises(KeyboardInterrupt):
        build.train(read(tiny_recipe), tmp_path / "run")
    monkeypatch.setattr(p2p.Source, "prepare", prepare)
    straight, _ = from_pretrained(tiny_run / "checkpoint")
    resumed, _ = from_pretrained(build.train(read(tiny_recipe), tmp_path / "run", resume=True))
    assert all((resumed.state_dict()[name] == value).all() for name, value in straight.state_dict().items())


def test_writing_is_whole_or_not_at_all(tmp_path: Path) -> None:
    runs.write_json(tmp_path / "x.json", {"a": 1})
    with pytest.raises(ValueError, match="Out of range float values"):
        runs.write_json(tmp_path / "x.json", {"a": float("nan")})
    assert json.loads((tmp_path / "x.json").read_text()) == {"a": 1}
    assert [path.name for path in tmp_path.iterdir()] == ["x.json"] and mode(tmp_path / "x.json") == 0o600
