"""Who trains and who is asked: no user in both, no query in its own history, queries as items in the same words."""

import json
from pathlib import Path

import pytest

from tailorlm.assembly.datasets import (
    as_item,
    dev_users,
    hold_out,
    lengthened,
    people,
    split_off,
    task_of,
    training_users,
)
from tailorlm.assembly.recipes import DataSettings
from tailorlm.assembly.splitting import SplitSettings
from tailorlm.data.records import Example, Interaction, User
from tailorlm.tasks.lamp_2m import INSTRUCTION


def users(count: int) -> list[User]:
    return [User(f"u{n}", (Interaction("a", "b"),)) for n in range(count)]


def write(path: Path, lines: list[dict]) -> Path:
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return path


def test_a_share_is_held_out_whoever_else_is_there() -> None:
    everybody = users(40)
    rest, held = hold_out(everybody, 0.25, 0)
    assert len(held) == 10 and {u.id for u in rest} | {u.id for u in held} == {u.id for u in everybody}
    assert hold_out(list(reversed(everybody)), 0.25, 0)[1] == list(reversed(held))
    assert hold_out(everybody, 0.25, 1)[1] != held and len(hold_out(users(2), 0.01, 0)[1]) == 1


def test_one_file_gives_both_sides(tiny_users: Path) -> None:
    settings = DataSettings(root=str(tiny_users), holdout=0.3)
    found = people(settings, 0)
    assert len(found.train) == 7 and len(found.dev) == 3 and len(found.queries) == 6
    assert not {user.id for user in found.train} & {user.id for user in found.dev}
    by_id = {user.id: user for user in found.dev}
    for query in found.queries:
        assert all(item.time < query.time for item in by_id[query.user_id].history)
        assert query.target not in [item.output for item in by_id[query.user_id].history if item.task == "headline"]


def test_limits_and_a_user_on_both_sides(tmp_path: Path) -> None:
    history = [{"input": "q", "output": "a"}] * 3
    write(tmp_path / "train.jsonl", [{"user_id": f"t{n}", "history": history} for n in range(4)])
    write(tmp_path / "dev.jsonl", [{"user_id": f"d{n}", "history": history} for n in range(4)])
    settings = DataSettings(root=str(tmp_path), train="train.jsonl", dev="dev.jsonl", users=2, dev_users=3, held=1)
    found = people(settings, 0)
    assert [user.id for user in found.train] == ["t0", "t1"] and len(found.queries) == 3
    write(tmp_path / "dev.jsonl", [{"user_id": "t1", "history": history}])
    with pytest.raises(ValueError, match="1 users are in training and dev, 't1' is the first"):
        people(settings, 0)


@pytest.mark.parametrize("changes", [{"protocol": "time"}, {"split": SplitSettings(kind="few_shot")}])
def test_other_divisions_of_users_are_refused_and_not_ignored(tiny_users: Path, changes: dict) -> None:
    settings = DataSettings(root=str(tiny_users), **changes)
    for ask in (people, training_users, dev_users):
        with pytest.raises(ValueError, match="tailorlm.assembly.population divides users"):
            ask(settings, 0)


def test_queries_of_training_users_are_items_in_the_same_words_only() -> None:
    user = User("u", (Interaction("old", "comedy", 1.0, "lamp_2m"),))
    asked = Example("q", "u", "lamp_2m", INSTRUCTION + "a film", "action", 2.0)
    other = Example("q2", "u", "lamp_2m", "Which tag? description: a film", "action", 2.0)
    plain = Example("q3", "u", None, "hello", "hi", None)
    assert as_item(asked) == Interaction("a film", "action", 2.0, "lamp_2m")
    assert as_item(other) is None and as_item(plain) == Interaction("hello", "hi")
    assert lengthened(user, [asked, other]).history == (*user.history, as_item(asked))
    question = ('For an author who has written the paper with the title "x", which reference is related? '
                'Just answer with [1] or [2] without explanation. [1]: "a" [2]: "b"')  # fmt: skip
    cited = Example("q4", "u", "lamp_1", question, "[1]")
    assert as_item(cited) == Interaction(question, "[1]", None, "lamp_1")
    with pytest.raises(ValueError, match="lamp_1"):
        task_of("lamp_1").prompt("nonsense")
    assert as_item(Example("q5", "u", "lamp_1", question, "neither")) is None


def test_the_last_items_are_asked_and_leave_the_history() -> None:
    user = User("u", tuple(Interaction(f"i{n}", f"o{n}", float(n)) for n in range(4)))
    kept, queries = split_off(user, [], 2)
    assert len(kept.history) == 2 and [(q.input, q.target) for q in queries] == [("i2", "o2"), ("i3", "o3")]
    own = Example("q", "u", None, "x", "y")
    assert split_off(user, [own], 2) == (user, [own]) and split_off(user, [], 0) == (user, [])
    assert split_off(User("v", ()), [], 2) == (User("v", ()), [])


def test_an_unknown_task_is_plain_under_its_own_name() -> None:
    assert task_of("poems").name == "poems" and task_of(None).name == "plain" and task_of("lamp_3").labels
    assert task_of("poems").prompt("x").body == "x"


def test_what_is_missing_is_said(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="data.root and data.train are empty"):
        training_users(DataSettings(), 0)
    path = write(tmp_path / "users.jsonl", [{"user_id": f"u{n}", "history": []} for n in range(3)])
    with pytest.raises(ValueError, match="no training user has any history"):
        training_users(DataSettings(root=str(path)), 0)
    with pytest.raises(ValueError, match="no dev user has a query with an answer"):
        dev_users(DataSettings(root=str(path)), 0)
