"""Splits in recipes: who trains is never asked, a run keeps the split it began with, wrong names are said."""

import json
from pathlib import Path

import pytest

from tailorlm.assembly import build
from tailorlm.assembly.population import population
from tailorlm.assembly.recipes import read
from tailorlm.assembly.splitting import asked, keep, kept, trains
from tailorlm.data import splits

CLUSTERS = ['data.split.kind="clusters"', "data.split.size=2", "data.split.low=2", "data.split.high=3"]
FEW = ['data.split.kind="few_shot"', "data.split.targets=3", "data.split.task_share=0.3"]


def test_clusters_have_one_training_set_away_from_both_test_sets(tiny_recipe: Path) -> None:
    recipe = read(tiny_recipe, CLUSTERS)
    found = population(recipe)
    assert found.split is not None and asked(recipe) == ("random", "ood") == tuple(found.splits)
    train, random, ood = (set(ids) for ids in (found.train.ids, found.splits["random"].ids, found.splits["ood"].ids))
    assert len(random) == len(ood) == 2 and not train & (random | ood) and not random & ood
    assert train == set(found.split.part("train")) == trains(found.split, "clusters")
    assert len(train) + 4 + len(found.split.part("left_out")) == 10
    user, queries = found.splits["ood"][0]
    assert len(queries) == 2 and all(query.target not in [item.input for item in user.history] for query in queries)
    assert len(user.history) == 4  # what is asked is no longer in the history
    some = read(tiny_recipe, [*CLUSTERS, 'eval.splits=["ood"]'])
    assert tuple(population(some).splits) == ("ood",) and population(some).train.ids == found.train.ids


def test_few_shot_targets_do_not_train(tiny_recipe: Path) -> None:
    found = population(read(tiny_recipe, FEW))
    assert found.split is not None and len(found.splits["target"]) == 3 and len(found.train) == 7
    assert not set(found.train.ids) & set(found.splits["target"].ids)


def test_a_run_keeps_the_split_it_began_with(tiny_recipe: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    build.train(read(tiny_recipe, FEW), run)
    saved = splits.load(run / "split.json")
    assert json.loads((run / "run.json").read_text())["training_users"] == 7
    assert (run / "split.json").stat().st_mode & 0o77 == 0
    recipe = read(tiny_recipe, FEW)
    assert kept(recipe, run) == saved == population(recipe, run).split and kept(read(tiny_recipe), run) is None
    other = splits.Split("few_shot", {**saved.parts, "target": saved.part("sharers"), "sharers": saved.part("target")})
    splits.save(other, run / "split.json")
    assert population(recipe, run).splits["target"].ids == list(saved.part("sharers"))  # what is kept stands
    with pytest.raises(ValueError, match="holds another split than this run's"):
        keep(saved, run)
    with pytest.raises(ValueError, match=r"another recipe: data.split.targets: saved 3, given 2"):
        build.train(read(tiny_recipe, [*FEW, "data.split.targets=2"]), run)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (['eval.splits=["ood"]'], r"eval.splits has 'ood'; there are: dev: .*data.split.kind = \"clusters\""),
        ([*CLUSTERS, 'eval.splits=["dev"]'], "eval.splits has 'dev'; there are: random, ood"),
        (['data.split.kind="cluster"'], "data.split.kind: expected one of 'none', 'clusters', 'few_shot'"),
        ([*CLUSTERS, "data.split.low=1"], "low 1, high 3"),
        (["data.split.high=3"], r"low 0, high 3, .* \(or both 0\)"),
        ([*FEW, "data.split.targets=30"], "10 users: too few for 30 target users"),
    ],
)
def test_what_is_wrong_is_said(tiny_recipe: Path, changes: list[str], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        population(read(tiny_recipe, changes))
