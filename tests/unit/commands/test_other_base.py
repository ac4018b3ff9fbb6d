"""A base whose files are exchanged in place: what stands on the old weights is not mixed with what new ones make."""

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tailorlm.adapters.peft_files import read_metadata
from tailorlm.assembly import build
from tailorlm.assembly.recipes import read
from tailorlm.commands import evaluate
from tailorlm.evaluation.report_run import read_run
from tailorlm.evaluation.rows import read_about, read_part

OWN = 'lora = { targets = ["q_proj"], rank = 2 }, batch = { users = 4 }, train = { steps = 3, save_every = 2 }'
ROWS = f"""
[[eval.methods]]
name = "told"
adapter = "text_to_lora"
settings = {{ {OWN}, net = {{ latent = 16, head_in = 16 }} }}

[[eval.methods]]
name = "one"
adapter = "mt_lora"
settings = {{ {OWN.replace("rank = 2", "rank = 3")} }}
"""
WEIGHTS = "model.safetensors"


class World:
    """A recipe on a base of its own, whose weights can be exchanged."""

    def __init__(self, folder: Path, base: Path, other: Path, recipe: str) -> None:
        self.base, self.mine, self.theirs = folder / "base", base / WEIGHTS, other / WEIGHTS
        shutil.copytree(base, self.base)
        self.recipe, self.out = folder / "recipe.toml", folder / "run"
        text = recipe.replace(f'name = "{base}"', f'name = "{self.base}"')
        self.recipe.write_text(text.replace("[eval]\n", "[eval]\nrows = []\n") + ROWS, encoding="utf-8")
        assert str(self.base) in text

    def exchange(self, mine: bool = False) -> None:
        shutil.copy(self.mine if mine else self.theirs, self.base / WEIGHTS)

    def evaluate(self, **how: bool) -> Any:
        return evaluate.run(self.recipe, [], None, self.out, how.get("resume", False), 0, how.get("overwrite", False))

    def files(self, under: str = ".") -> dict[str, str]:
        return {
            str(path.relative_to(self.out)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted((self.out / under).rglob("*"))
            if path.is_file()
        }


@pytest.fixture
def world(tmp_path: Path, tiny_base: Path, other_base: Path, tiny_recipe: Path) -> World:
    return World(tmp_path, tiny_base, other_base, tiny_recipe.read_text(encoding="utf-8"))


class Stopped(BaseException):
    """Stands for a process that dies."""


def test_a_stopped_training_does_not_stamp_the_old_lora_with_the_new_base(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def dying(*given: Any) -> None:
        raise Stopped

    with monkeypatch.context() as broken, pytest.raises(Stopped):
        broken.setattr(build, "save_peft", dying)
        build.train(read(world.recipe), world.out)
    assert (world.out / "mt_lora").is_dir() and not (world.out / "shared").exists()
    before = world.files("mt_lora")
    world.exchange()
    with pytest.raises(ValueError, match=r"mt_lora was made with another base \(saved \w+, given \w+\)\. Resume it"):
        build.train(read(world.recipe), world.out, resume=True)
    assert world.files("mt_lora") == before and not (world.out / "shared").exists()
    world.exchange(mine=True)
    build.train(read(world.recipe), world.out, resume=True)
    assert read_metadata(world.out / "shared")[build.BASE]


def test_an_evaluation_goes_on_with_its_own_base_only(world: World) -> None:
    assert world.evaluate().code == 0
    whole, sources = rows(world.out), world.files("sources")
    for part in (world.out / "rows").rglob("one/*/*.parquet"):
        part.unlink()
    left = world.files()
    world.exchange()
    with pytest.raises(ValueError, match=r"another evaluation: rows.base_fingerprint: .* has other weights\)"):
        world.evaluate(resume=True)
    assert world.files() == left
    # Anew, what was trained on the old base is refused, row by row, and stays as it is.
    made = world.evaluate(overwrite=True)
    assert made.code == 1 and set(made.found["failures"]) == {"told", "one"}
    reasons = [reason for by in made.found["failures"].values() for one in by.values() for reason in one["reasons"]]
    assert reasons and all("was made with another base" in reason for reason in reasons)
    assert world.files("sources") == sources
    world.exchange(mine=True)
    assert world.evaluate(overwrite=True).code == 0 and rows(world.out) == whole
    assert world.evaluate(resume=True).code == 0


def test_a_report_knows_no_setting_of_the_weights(world: World) -> None:
    world.evaluate()
    parts = list((world.out / "rows").rglob("*.parquet"))
    known = {read_about(part)["base_fingerprint"] for part in parts}
    assert len(known) == 1 and "" not in known
    made = read_run(world.out, "run").marks.made
    assert {"told", "one"} <= made.keys()
    assert not any(one in json.dumps(dict(how.about)) for one in known for how in made.values())


def rows(out: Path) -> list[tuple[str, str, str | None]]:
    found = [row for part in sorted((out / "rows").rglob("*.parquet")) for row in read_part(part)]
    return [(row.method, row.example_id, row.output) for row in found]
