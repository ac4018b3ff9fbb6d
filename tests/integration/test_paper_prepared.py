"""P2P's main commands at `scale=tiny`: prepare.py divides users, and tailor eval goes on in its folder."""

import json
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tailorlm.commands.evaluate import run
from tailorlm.commands.result import OK
from tailorlm.data.jsonl import write_users
from tailorlm.data.records import Example, Interaction, User
from tailorlm.data.splits import load
from tailorlm.evaluation.figures import quantity
from tailorlm.evaluation.report_merge import board
from tailorlm.evaluation.report_run import read_runs
from tailorlm.tasks import lamp_2m

ROOT = Path(__file__).parents[2]
RECIPE = Path("recipes/paper/p2p.toml")
TINY = ("scale=tiny", "profile.kind=statistical", "encoder.kind=base")


def movies(users):
    """Users of movie tagging, some fond of one tag and some of another."""
    for number in range(users):
        tag = ("action", "comedy", "romance")[number % 3]
        history = tuple(Interaction(f"film {number} {n}", tag, float(n), "lamp_2m") for n in range(4))
        asked = Example(f"q{number}", str(number), "lamp_2m", f"{lamp_2m.INSTRUCTION}new {number}", tag, 99.0)
        yield User(str(number), history), (asked,)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """What the first command of docs/reproduce.md writes."""
    folder = tmp_path_factory.mktemp("papers")
    (folder / "data" / "LaMP_2M").mkdir(parents=True)
    write_users(folder / "data" / "LaMP_2M" / "train.jsonl", movies(60))
    changes = [word for one in (*TINY, f"encoder.cache={folder / 'run' / 'vectors'}") for word in ("--set", one)]
    words = [sys.executable, "recipes/paper/prepare.py", "p2p", str(folder / "data"), str(folder / "run"), *changes]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, (shlex.join(words), done.stderr)
    return folder / "run"


def evaluated(out, data, *more):
    changes = (
        *TINY, f'data.root="{data}"', "data.train=users.jsonl", "data.split.kind=clusters", *more,
        'eval.splits=["random", "ood"]', f"encoder.cache={data / 'vectors'}",
    )  # fmt: skip
    return run(RECIPE, changes, None, out, resume=False)


def test_what_was_prepared_is_evaluated_in_its_folder(prepared, tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    out = Path(shutil.copytree(prepared, tmp_path / "run"))
    assert {"users.jsonl", "split.json", "vectors", "clusters_10", "users_20"} <= {path.name for path in out.iterdir()}
    before, split = (out / "split.json").read_bytes(), load(out / "split.json")
    found = evaluated(out, out, 'eval.rows=["base", "p2p"]', "eval.methods=[]")
    assert found.code == OK and (out / "split.json").read_bytes() == before
    users = json.loads((out / "results.json").read_text())["users"]
    assert users == {name: len(split.part(name)) for name in ("random", "ood", "train")}

    mine = load(out / "users_20" / "split.json")  # figure 3: the same users are asked, fewer train
    fewer = tmp_path / "users_20"
    assert evaluated(fewer, out, "show=figure_3", "data.split.file=users_20/split.json").code == OK
    trained = json.loads((fewer / "results.json").read_text())["users"]["train"]
    assert trained == len(mine.part("train")) < users["train"]
    more = tmp_path / "more"  # the figure knows splits, not the names of runs' folders
    assert evaluated(more, out, "show=figure_3", "data.split.file=users_100/split.json").code == OK
    [plot, *_] = quantity.plots(board(read_runs([fewer, more])))
    assert {tuple(point.x for point in line.points) for line in plot.lines} == {(20, 100)}

    apart = tmp_path / "full_history"  # begun with the split alone in it
    apart.mkdir()
    shutil.copy(out / "split.json", apart)
    assert evaluated(apart, out, "show=full_history").code == OK
    assert (apart / "split.json").read_bytes() == before
