"""`tailor eval`: a stopped training of users goes on within its chunk; states and adapters are kept where asked for."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from tailorlm.adapters.peft_files import directory_for
from tailorlm.commands import evaluate
from tailorlm.evaluation.rows import MEASURED, Row, read_part
from tailorlm.evaluation.runner_states import Unfinished
from tailorlm.methods.tuned import Tuned
from tailorlm.training import many

OWN = 'lora = {targets = ["q_proj"], rank = 2}, items.items = 2, batch = 1, users_at_once = 1'
TUNED = f"""
[[eval.methods]]
name = "tuned"
adapter = "prisp"
start = "p2p"
settings = {{{OWN}}}
"""
MORE = f"""
[[eval.methods]]
name = "normed"
adapter = "prisp"
start = "p2p"
settings = {{{OWN}, gradient_norms = true}}

[[eval.methods]]
name = "of_others"
adapter = "prisp"
start = "p2p"
control = "shuffled"
settings = {{{OWN}}}
"""


@pytest.fixture
def alone(tiny_recipe: Path, tmp_path: Path) -> Path:
    path = tmp_path / "alone.toml"
    text = tiny_recipe.read_text(encoding="utf-8")
    path.write_text(text.replace("[eval]\n", "[eval]\nrows = []\nusers_at_once = 2\n") + TUNED)
    return path


@pytest.fixture
def recipe(alone: Path, tmp_path: Path) -> Path:
    path = tmp_path / "states.toml"
    path.write_text(alone.read_text().replace("rows = []", 'rows = ["base", "p2p"]') + MORE)
    return path


def go(recipe: Path, out: Path, keep: str = "", resume: bool = False, overwrite: bool = False) -> Any:
    changes = [f"eval.keep=[{keep}]"] if keep else []
    return evaluate.run(recipe, changes, None, out, resume, 0, overwrite)


def rows(out: Path) -> list[dict[str, Any]]:
    found = [row for part in sorted((out / "rows").rglob("*.parquet")) for row in read_part(part)]
    return [{name: getattr(row, name) for name in Row.__slots__ if name not in MEASURED} for row in found]


def tensors(folder: Path) -> dict[Path, dict[str, torch.Tensor]]:
    return {path: load_file(path) for path in folder.rglob("*.safetensors")}


def modes(folder: Path) -> set[int]:
    return {path.stat().st_mode & 0o777 for path in (folder, *folder.rglob("*")) if path.is_dir()}


def test_a_stopped_training_goes_on_within_its_chunk(
    alone: Path, tiny_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, out = (Path(shutil.copytree(tiny_run, tmp_path / name)) for name in ("whole", "run"))
    steps: list[int] = []
    plain = many._Run.step

    def counted(self: Any, step: int, observe: Any) -> None:
        steps.append(step)
        if len(steps) == stop:
            raise KeyboardInterrupt
        plain(self, step, observe)

    monkeypatch.setattr(many._Run, "step", counted)
    stop = 0
    go(alone, whole)
    every = len(steps)
    steps.clear()
    stop = 6  # of the second user of the first chunk: of two items, each twice
    with pytest.raises(KeyboardInterrupt):
        go(alone, out)
    assert [path.name for path in (out / "enrolling" / "tuned").rglob("users-*.pt")] == ["users-000000.pt"]
    assert modes(out / "enrolling") == {0o700}
    # Whatever earlier trainings took counts too.
    [seconds] = (out / "enrolling" / "tuned").rglob("seconds.json")
    seconds.write_text(json.dumps({"seconds": 1000.0, "finished": False}))
    steps.clear()
    stop = 0
    go(alone, out, resume=True)
    assert rows(out) == rows(whole)
    assert every - len(steps) == 4  # the first user's steps were not taken again
    assert not (out / "enrolling").exists() and not (whole / "enrolling").exists()
    part = sorted((out / "rows").rglob("tuned/*/part-00000.parquet"))[0]
    assert all(row.enrol_seconds > 400 for row in read_part(part))
    other = sorted((out / "rows").rglob("tuned/*/part-00001.parquet"))[0]
    assert all(row.enrol_seconds < 400 for row in read_part(other))
    assert not (out / "kept").exists()


RAG = TUNED.replace('"tuned"', '"tuned+rag"').replace('start = "p2p"', 'start = "p2p"\ncontext = "rag"')


@pytest.mark.parametrize(("before", "after"), [(TUNED + RAG, RAG), (TUNED + RAG, RAG + TUNED), (RAG, TUNED)])
def test_rows_of_one_source_go_on_with_one_another_s_training(
    alone: Path, tiny_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: str, after: str
) -> None:
    text, plain = alone.read_text().removesuffix(TUNED), many._Run.step
    steps: list[int] = []

    def counted(self: Any, step: int, observe: Any) -> None:
        steps.append(step)
        if len(steps) == 6:  # of the second user of the first chunk
            raise KeyboardInterrupt
        plain(self, step, observe)

    monkeypatch.setattr(many._Run, "step", counted)
    first, second = tmp_path / "first.toml", tmp_path / "second.toml"
    first.write_text(text + before), second.write_text(text + after)
    out = Path(shutil.copytree(tiny_run, tmp_path / "run"))
    with pytest.raises(KeyboardInterrupt):
        go(first, out)
    gone = out / "enrolling" / "gone" / "0123456789abcdef"
    gone.mkdir(parents=True)
    (gone / "users-000000.pt").write_bytes(b"of users whom nobody asks now")
    steps.extend(range(10))  # never 6 again
    begun = len(steps)
    go(second, out, resume=True)
    assert len(steps) - begun == 4 * 3 - 4  # three users, of whom one was trained before
    assert not (out / "enrolling").exists()


def test_training_left_by_rows_that_failed_is_said(
    alone: Path, tiny_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def dying(self: Any, step: int, observe: Any) -> None:
        raise RuntimeError

    out = Path(shutil.copytree(tiny_run, tmp_path / "run"))
    with monkeypatch.context() as broken:
        broken.setattr(many._Run, "step", dying)
        broken.setattr(Unfinished, "answered", lambda self: None)
        said = go(alone, out).lines
    assert (out / "enrolling").exists() and "users' stopped training (personal data)" in said[-1]
    assert not any("personal data" in line for line in go(alone, out, resume=True).lines)
    assert not (out / "enrolling").exists()


def test_states_and_adapters_are_kept_where_asked_for(recipe: Path, tiny_run: Path, tmp_path: Path) -> None:
    out = Path(shutil.copytree(tiny_run, tmp_path / "run"))
    result = go(recipe, out, '"tuned", "p2p", "base"')
    assert not result.found["failures"]
    kept = out / "kept"
    assert modes(kept) == {0o700}
    assert sorted(path.name for path in kept.iterdir()) == ["base", "p2p", "tuned"]
    states = [Tuned.load(path) for path in sorted((kept / "tuned").glob("*.pt"))]
    ids = [user for state in states for user, _ in state.owners]
    asked = {row["user_id"] for row in rows(out)}
    assert sorted(ids) == sorted(asked) and len(states) > 1
    for name in ("tuned", "p2p"):
        [folder] = [path for path in (kept / name).iterdir() if path.is_dir()]
        assert {path.name for path in folder.iterdir()} == {directory_for(folder, user).name for user in ids}
        assert all((path / "adapter_model.safetensors").exists() for path in folder.iterdir())
    assert not list((kept / "p2p").glob("*.pt"))
    said = [json.loads(path.read_text()) for path in sorted((kept / "base").glob("*.json"))]
    assert all(p["adapters"] == 0 and "base model answers" in p["not_exported"] for one in said for p in one["pieces"])
    assert sum(p["owners"] for one in said for p in one["pieces"]) == len(ids)
    before = tensors(kept / "tuned")
    assert len(before) == len(ids)
    late = go(recipe, out, '"tuned", "normed"', resume=True)
    assert "not kept in whole: normed, answered before" in "\n".join(late.lines)
    (kept / "tuned" / "dev-seed-3-00000-7.pt").write_bytes(b"old")
    go(recipe, out, '"tuned"', overwrite=True)
    assert {path.name for path in kept.iterdir()} == {"tuned"}
    assert not (kept / "tuned" / "dev-seed-3-00000-7.pt").exists()
    after = tensors(kept / "tuned")
    assert before.keys() == after.keys() and all(
        torch.equal(t, after[path][name]) for path, one in before.items() for name, t in one.items()
    )
    again = [Tuned.load(path) for path in sorted((kept / "tuned").glob("*.pt"))]
    assert [one.owners for one in again] == [one.owners for one in states]
    assert all(torch.equal(t, again[0].params[name]) for name, t in states[0].params.items())


@pytest.mark.parametrize(
    ("keep", "message"),
    [("'tunde'", "eval.keep has 'tunde', which is no row; did you mean tuned"), ("'of_others'", "a wrong profile")],
)
def test_rows_that_cannot_be_kept_are_named(recipe: Path, tmp_path: Path, keep: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        go(recipe, tmp_path / "none", keep)
