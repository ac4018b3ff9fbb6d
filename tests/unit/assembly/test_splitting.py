"""Splits in recipes: who trains is never asked, a run keeps the split it began with, wrong names are said."""

import json
from collections import Counter
from pathlib import Path

import pytest

from tailorlm.assembly import build
from tailorlm.assembly.population import Population, population
from tailorlm.assembly.recipes import read
from tailorlm.assembly.splitting import asked, keep, kept, trains
from tailorlm.data import splits
from tailorlm.data.jsonl import write_users
from tailorlm.data.records import Example, Interaction, User

CLUSTERS = ['data.split.kind="clusters"', "data.split.size=2", "data.split.low=2", "data.split.high=3"]
BY_TASK = [*CLUSTERS, 'data.split.by="task"', 'profile.kind="given"']
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


def test_a_split_made_before_is_given_to_every_run(tiny_recipe: Path, tmp_path: Path) -> None:
    """As the papers' tables need: other encoders, bases and seeds, the same users."""
    root = Path(read(tiny_recipe).data.root).parent
    splits.save(made := population(read(tiny_recipe, CLUSTERS)).split, root / "made.json")  # type: ignore[arg-type]
    assert made is not None
    other = [*CLUSTERS, "seed=7", "encoder.kind=base"]
    assert population(read(tiny_recipe, other)).split != made, "the control: a run by itself divides anew"
    found = population(read(tiny_recipe, [*other, "data.split.file=made.json"]))
    assert found.split == made and set(found.splits["ood"].ids) == set(made.part("ood"))
    run = tmp_path / "run"
    run.mkdir()
    splits.save(
        splits.Split("benchmark", {**made.parts, "train": made.part("ood"), "ood": made.part("train")}),
        run / "split.json",
    )
    given = population(read(tiny_recipe, [*CLUSTERS, "data.split.file=made.json"]), run)
    with pytest.raises(ValueError, match="holds another split than this run's"):
        keep(given.split, run)  # never another one in silence
    less = splits.Split("benchmark", {**made.parts, "train": made.part("train")[1:]})
    splits.save(less, root / "less.json")
    assert len(population(read(tiny_recipe, [*CLUSTERS, "data.split.file=less.json"])).train) == len(found.train) - 1


def test_a_split_that_is_not_of_these_users_is_refused(tiny_recipe: Path) -> None:
    root = Path(read(tiny_recipe).data.root).parent
    with pytest.raises(ValueError, match="data.split.file is 'x.json' and data.split.kind \"none\""):
        read(tiny_recipe, ["data.split.file=x.json"])
    with pytest.raises(ValueError, match="split .*x.json: cannot be read"):
        population(read(tiny_recipe, [*CLUSTERS, "data.split.file=x.json"]))
    splits.save(splits.Split("few_shot", {"target": (), "task": (), "sharers": ()}), root / "x.json")
    with pytest.raises(ValueError, match="x.json: no part 'train', which data.split.kind = 'clusters' has"):
        population(read(tiny_recipe, [*CLUSTERS, "data.split.file=x.json"]))
    splits.save(splits.Split("benchmark", {"train": ("odd",), "random": (), "ood": ()}), root / "x.json")
    with pytest.raises(ValueError, match="x.json: 1 of its users are not among the .* of data.train, the first 'odd'"):
        population(read(tiny_recipe, [*CLUSTERS, "data.split.file=x.json"]))


def of_one_task_each(path: Path, **users: int) -> Path:
    """A file of so many users of each task, who do nothing else."""
    lines = []
    for task, count in users.items():
        for n in range(count):
            said = {"input": f"Write a headline: {task} {n % 7}", "task": task}
            history = [{**said, "output": f"{task} words {n % 7} {time}", "time": time} for time in range(4)]
            lines.append(json.dumps({"user_id": f"{task}-{n}", "history": history, "profile": f"{task} {n} {n**3}"}))
    lines.append(json.dumps({"user_id": "silent", "history": []}))
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


def per_task(found: Population, part: str) -> Counter[str]:
    assert found.split is not None
    return Counter(id.partition("-")[0] for id in found.split.part(part))


def test_each_task_s_users_are_divided_by_themselves(tiny_recipe: Path, tmp_path: Path) -> None:
    path = of_one_task_each(tmp_path / "users.jsonl", headline=40, tweet=20)
    by_task = [*BY_TASK, "data.split.size=0", "data.split.tasks.tweet.size=3"]
    found = population(read(tiny_recipe, by_task, path))
    for part in ("random", "ood"):
        assert per_task(found, part) == {"headline": 4, "tweet": 3}  # a tenth of 40, and as the task says
        assert set(found.splits[part].ids) == set(found.split.part(part))
    train = set(found.train.ids)
    assert "silent" in train and not train & {id for part in ("random", "ood") for id in found.split.part(part)}
    assert set(found.split.made) == {"headline", "tweet"} and found.split.made["tweet"]["size"] == 3
    # The negative control: divided all together, isolated users are of one task, and its own users are no measure.
    together = population(read(tiny_recipe, [*BY_TASK, 'data.split.by="all"', "data.split.size=7"], path))
    assert per_task(together, "ood") != per_task(found, "ood")
    assert per_task(found, "ood") == per_task(population(read(tiny_recipe, by_task, path)), "ood")


def test_who_brings_a_profile_and_a_query_only_is_divided_like_the_others(tiny_recipe: Path, tmp_path: Path) -> None:
    """Personal Reddit's users, who have no history: nothing could be trained on them."""
    path = tmp_path / "users.jsonl"
    users = [User(f"chat-{n}", (), f"Likes number {n % 3}.\nLives in town {n}.") for n in range(30)]
    lived = [User(f"news-{n}", (Interaction("a", "b", 1.0, "headline"),), f"Is {n}.") for n in range(30)]
    mute = [User(f"mute-{n}", ()) for n in range(5)]  # the control: neither a history nor a profile
    asked = [(Example(f"q{n}", user.id, "personal_reddit", "Why?", "So.", 9.0),) for n, user in enumerate(users + mute)]
    write_users(path, zip(users + mute + lived, [*asked, *[()] * len(lived)], strict=True))
    found = population(read(tiny_recipe, [*BY_TASK, "data.split.size=0"], path))
    assert per_task(found, "random") == per_task(found, "ood") == {"chat": 3, "news": 3}  # a tenth of each
    assert per_task(found, "train")["mute"] == 5
    assert set(found.split.made) == {"headline", "personal_reddit"}


def test_another_task_s_users_leave_a_task_s_split_as_it_is(tiny_recipe: Path, tmp_path: Path) -> None:
    alone = population(read(tiny_recipe, BY_TASK, of_one_task_each(tmp_path / "one.jsonl", headline=30))).split
    both = population(read(tiny_recipe, BY_TASK, of_one_task_each(tmp_path / "two.jsonl", headline=30, tweet=25))).split
    for part in ("random", "ood", "left_out"):
        assert alone.part(part) == tuple(id for id in both.part(part) if id.startswith("headline"))


def test_few_shot_users_of_each_task(tiny_recipe: Path, tmp_path: Path) -> None:
    path = of_one_task_each(tmp_path / "users.jsonl", headline=20, tweet=10)
    changes = [
        *FEW,
        'data.split.by="task"',
        "data.split.tasks.tweet.targets=2",
        "data.split.tasks.tweet.task_share=0.5",
    ]
    found = population(read(tiny_recipe, changes, path))
    assert per_task(found, "target") == {"headline": 3, "tweet": 2}
    assert per_task(found, "task") == {"headline": 6, "tweet": 5}
    assert "silent" in found.split.part("sharers")


def test_what_cannot_be_divided_by_task_is_said(tiny_recipe: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="user 'u0' has items or queries of 2 tasks .headline, movie_tagging.: "):
        population(read(tiny_recipe, BY_TASK))
    path = of_one_task_each(tmp_path / "users.jsonl", headline=30, tweet=2)
    with pytest.raises(ValueError, match="data.split, task 'tweet': "):
        population(read(tiny_recipe, BY_TASK, path))
    with pytest.raises(ValueError, match="data.split.tasks has 'headlines'; users' tasks are: headline, tweet"):
        population(read(tiny_recipe, [*BY_TASK, "data.split.tasks.headlines.size=3"], path))
    with pytest.raises(ValueError, match="tasks has 'tweet', which needs data.split.by = \"task\""):
        read(tiny_recipe, [*CLUSTERS, "data.split.tasks.tweet.size=3"])
    with pytest.raises(ValueError, match="size -1"):
        read(tiny_recipe, [*BY_TASK, "data.split.tasks.tweet.size=-1"])


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
