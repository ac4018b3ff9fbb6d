"""Whose folder a run may be made in, what a failed start leaves, and what is tried before anything is trained."""

import stat
from dataclasses import replace
from pathlib import Path

import pytest

from tailorlm.assembly import build, run_folders, runs, splitting
from tailorlm.assembly.recipes import read
from tailorlm.commands import training
from tailorlm.data import splits
from tailorlm.data.splits import Split

QUICK = ["methods.p2p.train.steps=1", "methods.mt_lora.train.steps=1"]
DEAD = [
    "profile.kind=llm", 'profile.endpoint.url="http://127.0.0.1:9/v1"', "profile.endpoint.model=m",
    "profile.endpoint.retries=0",
]  # fmt: skip
SPLIT = Split("benchmark", {"train": ("u1", "u2"), "random": ("u3",)})
FREE = ["methods.p2p.net.pool=attention", "methods.p2p.net.head=L"]


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("own", ["notes.txt", ".tailor-demo", "recipe.toml"])
def test_a_folder_of_somebody_else_is_left_alone(tiny_recipe: Path, tmp_path: Path, own: str) -> None:
    folder = tmp_path / "mine"
    folder.mkdir(mode=0o755)
    text = tiny_recipe.read_text() if own == "recipe.toml" else "mine"  # the very recipe, but no run's
    (folder / own).write_text(text)
    with pytest.raises(ValueError, match="is not empty and no run's folder .* choose another --out"):
        build.train(read(tiny_recipe), folder)
    assert [path.name for path in folder.iterdir()] == [own] and (folder / own).read_text() == text
    assert mode(folder) == 0o755


def test_an_empty_folder_is_taken_and_keeps_its_mode(tiny_recipe: Path, tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    folder.mkdir(mode=0o755)
    build.train(read(tiny_recipe, QUICK), folder)
    assert mode(folder) == 0o755 and mode(folder / "p2p") == 0o700 and mode(folder / "recipe.toml") == 0o600


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (DEAD, r"profile.endpoint http://127.0.0.1:9/v1: user 'u\d' has no profile: .*no connection"),
        (
            ["profile.kind=llm", "profile.max_new_tokens=200"],
            r"user 'u\d' has no profile: the request for it takes \d+ tokens.* set profile.template.items or",
        ),
        (["methods.p2p.train.tracker=wandb"], "methods.p2p.train.tracker needs the package 'wandb': pip install"),
        (["max_tokens=0"], "max_tokens is 0; expected at least 2"),
        (["max_tokens=3"], "row"),
    ],
)
def test_a_failed_start_trains_nothing_and_blocks_nothing(
    tiny_recipe: Path, tmp_path: Path, changes: list[str], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tailorlm.training.trackers.find_spec", lambda name: None)
    folder = tmp_path / "run"
    with pytest.raises(ValueError, match=said):
        build.train(read(tiny_recipe, [*QUICK, *FREE, *changes]), folder)
    assert not folder.exists()


def test_what_an_earlier_failed_start_left_does_not_block(tiny_recipe: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    build.train(read(tiny_recipe, QUICK), folder)
    other = read(tiny_recipe, [*QUICK, "seed=8"])
    with pytest.raises(ValueError, match="another recipe: .*seed: saved 3, given 8"):
        build.train(other, folder)
    for path in list(folder.rglob("*")):  # as a start that failed leaves it
        if path.is_file() and path.name not in ("recipe.toml", "curve.jsonl") and path.parent.name != "prepared":
            path.unlink()
    splitting.keep(SPLIT, folder)  # the run's own: another recipe's users may be others
    assert not run_folders.trained(folder)
    build.train(other, folder)
    assert read(folder / "recipe.toml").seed == 8 and not (folder / "split.json").exists()


def prepared(folder: Path) -> bytes:
    """A folder as recipes/paper/prepare.py leaves it; what its split holds."""
    (folder / "clusters_10").mkdir(parents=True)
    (folder / "vectors").mkdir()
    for place in (folder, folder / "clusters_10"):
        splits.save(SPLIT, place / "split.json")
    for name in ("users.jsonl", "vectors/vectors.sqlite"):
        (folder / name).write_text("something")
    return (folder / "split.json").read_bytes()


def test_a_prepared_folder_is_taken_and_a_failed_start_there_keeps_its_split(tiny_recipe: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    before = prepared(folder)
    runs.open_run(folder, read(tiny_recipe, QUICK))
    splitting.keep(SPLIT, folder)
    assert not run_folders.trained(folder)
    runs.open_run(folder, read(tiny_recipe, [*QUICK, "seed=8"]))  # of the first nothing was trained
    assert read(folder / "recipe.toml").seed == 8 and (folder / "split.json").read_bytes() == before
    assert (folder / "clusters_10" / "split.json").read_bytes() == before and (folder / "users.jsonl").exists()


def test_a_split_that_took_the_place_of_the_run_s_own_stays(tiny_recipe: Path, tmp_path: Path) -> None:
    runs.open_run(tmp_path / "run", read(tiny_recipe, QUICK))
    splitting.keep(SPLIT, tmp_path / "run")
    given = replace(SPLIT, parts={"train": ("u3",), "random": ("u1",)})
    splits.save(given, tmp_path / "run" / "split.json")
    runs.open_run(tmp_path / "run", read(tiny_recipe, [*QUICK, "seed=8"]))
    assert splits.load(tmp_path / "run" / "split.json") == given


@pytest.mark.parametrize("odd", ["notes.txt", "users", "clusters_ten"])
def test_a_split_among_other_things_makes_no_run_s_folder(tiny_recipe: Path, tmp_path: Path, odd: str) -> None:
    prepared(tmp_path / "run")
    (tmp_path / "run" / odd).write_text("mine")
    with pytest.raises(ValueError, match="is not empty and no run's folder"):
        runs.check_run(tmp_path / "run", read(tiny_recipe))


def test_a_split_of_somebody_else_makes_no_run_s_folder(tiny_recipe: Path, tmp_path: Path) -> None:
    prepared(tmp_path / "run")
    (tmp_path / "run" / "split.json").write_text('{"train": ["a"]}')
    with pytest.raises(ValueError, match="is not empty and no run's folder"):
        runs.check_run(tmp_path / "run", read(tiny_recipe))


def test_what_was_trained_stays_when_the_rest_fails(
    tiny_recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*given: object) -> None:
        raise ValueError("later")

    monkeypatch.setattr(build, "train_network", fail)
    with pytest.raises(ValueError, match="later"):
        build.train(read(tiny_recipe, QUICK), tmp_path / "run")
    assert list((tmp_path / "run" / "mt_lora").glob("step-*.pt"))


def test_the_next_step_that_is_printed_works(
    tiny_recipe: Path, tiny_users: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import shlex

    from typer.testing import CliRunner

    from tailorlm import cli

    changes = [*QUICK, 'eval.rows=["p2p"]', "data.on_error=skip"]
    done = training.run(tiny_recipe, changes, tiny_users, tmp_path / "my run", resume=False)
    said = next(line for line in done.lines if "tailor eval" in line)
    again = CliRunner().invoke(cli.app, shlex.split(said)[1:])
    assert again.exit_code == 0, (said, again.stderr, again.exception)
    assert (tmp_path / "my run" / "results.json").exists()
