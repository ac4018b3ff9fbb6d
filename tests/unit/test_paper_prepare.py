"""recipes/paper/prepare.py: the benchmarks' users are gathered and divided as each paper divides them."""

import runpy
from pathlib import Path

import pytest

from tailorlm.assembly.recipes import read
from tailorlm.assembly.store import stored
from tailorlm.data.jsonl import read_users, write_users
from tailorlm.data.records import Example, Interaction, User
from tailorlm.data.splits import Split
from tailorlm.data.splits import load as load_split
from tailorlm.tasks import lamp_2m

PAPER = Path(__file__).parents[2] / "recipes" / "paper"


def script():
    """prepare.py, as it is imported."""
    return runpy.run_path(str(PAPER / "prepare.py"), run_name="prepare")


def movies(count, queries=1):
    """Users of movie tagging with 12 dated items each, and queries in the official words."""
    for number in range(count):
        history = tuple(Interaction(f"film {number} {n}", "comedy", float(n), "lamp_2m") for n in range(12))
        name = str(number)
        said = [f"{lamp_2m.INSTRUCTION}film {number} new {n}" for n in range(queries)]
        asked = [Example(f"{name}-{n}", name, "lamp_2m", one, "action", 99.0) for n, one in enumerate(said)]
        yield User(name, history), tuple(asked)


@pytest.fixture
def folders(tmp_path):
    """Two folders whose users have the same ids."""
    for folder in ("LaMP_2M", "LaMP_9"):
        (tmp_path / "data" / folder).mkdir(parents=True)
        people = list(movies(140))
        write_users(tmp_path / "data" / folder / "train.jsonl", people[:100])
        write_users(tmp_path / "data" / folder / "dev.jsonl", people[100:])
    return tmp_path / "data"


def test_few_shot_users_are_divided_and_rows_are_rows(folders, tmp_path):
    made = script()
    made["prisp"](folders, ["LaMP_2M"], tmp_path / "out", 0)
    out = tmp_path / "out" / "LaMP_2M"
    split = load_split(out / "split.json")
    assert {part: len(ids) for part, ids in split.parts.items()} == {"target": 100, "task": 35, "sharers": 5}
    people = {path.stem: dict(pairs_of(path)) for path in out.glob("*.jsonl")}
    asked = {path.stem: {user.id: rows for user, rows in read_users(path)} for path in out.glob("*.jsonl")}
    assert set(people["target"]) == set(split.part("target")) and set(people["sharers"]) == set(split.part("sharers"))
    for count in (1, 5, 10, 30, 50):
        few = people[f"target_{count}"]
        assert set(few) == set(people["target"])
        for id, history in few.items():
            assert history == people["target"][id][-count:]
    assert set(people["task_50"]) == set(people["task_all"]) == set(split.part("task"))  # 35 users have 35 rows
    assert set(people["all_rows"]) == {*split.part("task"), *split.part("sharers")}
    assert all([row.target for row in rows] == ["action"] for rows in asked["all_rows"].values())
    assert all(len(history) == 12 for history in people["task_50"].values())  # what is retrieved, and summarised


def pairs_of(path):
    return ((user.id, user.history) for user, _ in read_users(path))


def test_as_many_rows_as_are_asked_for():
    made = script()
    users = list(movies(40, queries=3))
    rows = list(made["with_rows"](lambda: users, 0, 50))
    assert sum(len(asked) for _, asked in rows) == 50 and all(len(user.history) == 12 for user, _ in rows)
    assert rows == list(made["with_rows"](lambda: users[::-1], 0, 50))[::-1]
    assert sum(len(asked) for _, asked in made["with_rows"](lambda: users, 0)) == 120
    odd = Example("q", "0", "longlamp_topic", "in other words", "a post")
    with pytest.raises(ValueError, match="query 'q' cannot be a training item"):
        list(made["with_rows"](lambda: [(users[0][0], (odd,))], 0))


def test_p2p_s_users_are_gathered_and_divided_task_by_task(folders, tmp_path, monkeypatch):
    import torch

    made = script()
    places = torch.arange(280.0)
    vectors = torch.stack([torch.cos(places), torch.sin(places), places / 280], 1)
    made["p2p"].__globals__["vectors"] = lambda recipe, users, found: vectors[: len(found)]
    made["p2p"](folders, ["LaMP_2M", "LaMP_9"], tmp_path / "out", read(PAPER / "p2p.toml", ["scale=tiny"]))
    store = stored(read_users(tmp_path / "out" / "users.jsonl"))
    assert len(store) == 280 and len(set(store.ids)) == 280
    split = load_split(tmp_path / "out" / "split.json")
    for part in ("random", "ood"):
        assert [made["of"](store, store.place(id)) for id in split.part(part)].count("LaMP_9") == 14
    assert {id for ids in split.parts.values() for id in ids} == set(store.ids)
    sizes = {}
    for path in (tmp_path / "out").glob("*/split.json"):
        fewer = load_split(path)
        assert (fewer.part("random"), fewer.part("ood")) == (split.part("random"), split.part("ood"))
        assert set(fewer.part("train")) <= set(split.part("train"))
        sizes[path.parent.name] = len(fewer.part("train"))
    assert len({sizes[f"clusters_{count}"] for count in (10, 20, 30, 40, 50)}) == 1
    assert sizes["users_20"] < sizes["users_40"] < sizes["users_80"] < sizes["users_100"] == len(split.part("train"))


def talkers(count):
    """Personal Reddit as P2P's table 8 has it: one query a user, no history, a profile that came with the data."""
    for number in range(count):
        asked = Example(f"{number}-0", str(number), "personal_reddit", f"question {number}", "an answer")
        yield User(str(number), (), f"age: {number}\ncity: {number % 7}"), (asked,)


def test_users_without_history_are_divided_by_their_given_profiles(tmp_path):
    made, asked = script(), []

    def vectors(recipe, users, places):
        import torch

        asked.extend(users[place].id for place in places)
        angles = torch.arange(float(len(places)))
        return torch.stack([torch.cos(angles), torch.sin(angles)], 1)

    made["p2p"].__globals__["vectors"] = vectors
    data, out = tmp_path / "data", tmp_path / "out"
    for folder, people in (("personal_reddit", talkers(409)), ("LaMP_2M", movies(60))):
        (data / folder).mkdir(parents=True)
        write_users(data / folder / "train.jsonl", people)
    made["p2p"](data, ["personal_reddit", "LaMP_2M"], out, read(PAPER / "p2p.toml"))
    split = load_split(out / "split.json")
    assert len(asked) == 469
    for part, size in (("random", 41), ("ood", 41)):  # a tenth, rounded up, of 409
        assert sum(id.endswith("@personal_reddit") for id in split.part(part)) == size
    with pytest.raises(ValueError, match="^personal_reddit: none of its users has a history or a profile"):
        made["p2p"](data, ["personal_reddit"], tmp_path / "llm", read(PAPER / "p2p.toml", ["profile.kind=llm"]))
    (data / "few").mkdir()
    write_users(data / "few" / "train.jsonl", movies(2))
    with pytest.raises(ValueError, match="^few: "):
        made["p2p"](data, ["few"], tmp_path / "few", read(PAPER / "p2p.toml"))
    with pytest.raises(ValueError, match="^few: "):
        made["prisp"](data, ["few"], tmp_path / "shots", 0)


def test_a_task_of_few_kinds_of_users_keeps_them_all():
    split = Split("benchmark", {"train": ("a@x", "b@x"), "random": (), "ood": (), "left_out": ()}, {})
    named = script()["fewer"]({"x": split}, {"a@x": [0.0, 1.0], "b@x": [1.0, 0.0]}, 0)
    assert named["clusters_10"]["x"].part("train") == ("a@x", "b@x")
    assert named["users_20"]["x"].part("train") != ("a@x", "b@x")
