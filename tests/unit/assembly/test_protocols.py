"""Who is on both sides: nobody by people; by time, everybody with the past alone."""

import json
from pathlib import Path
from typing import Any

import pytest

from tailorlm.assembly.datasets import task_of
from tailorlm.assembly.population import Population, population
from tailorlm.assembly.protocols import LEFT_OUT
from tailorlm.assembly.recipes import DataSettings, resolve
from tailorlm.assembly.splitting import SplitSettings
from tailorlm.data.gather import BY_HISTORY

DAY = 86_400.0


def item(n: int, who: str = "u", time: bool = True) -> dict[str, Any]:
    return {"text": f"{who} text {n}", "title": f"{who} title {n}"} | ({"date": f"2020-01-{n + 1:02}"} if time else {})


def question(n: int, who: str = "u", time: bool = True, **more: Any) -> dict[str, Any]:
    """The n-th thing that somebody did, as a question after all before it."""
    asked = {"id": f"{who}{n}", "input": f"Generate a headline for the following article: {who} text {n}"}
    date = {"date": f"2020-01-{n + 1:02}"} if time else {}
    return asked | date | {"profile": [{"id": f"{who}{n}{i}"} | item(i, who, time) for i in range(n)]} | more


def lamp(folder: Path, split: str, *questions: dict[str, Any]) -> None:
    golds = [{"id": one["id"], "output": one["input"].split(": ")[1].replace("text", "title")} for one in questions]
    (folder / f"{split}_questions.json").write_text(json.dumps(questions))
    (folder / f"{split}_outputs.json").write_text(json.dumps({"task": "LaMP_4", "golds": golds}))


def found(folder: Path, **data: Any) -> Population:
    sides = {"train": "train_questions.json", "dev": "dev_questions.json"} if "train" not in data else {}
    return population(resolve({"base": {"name": "x"}, "data": {"root": str(folder), **sides, **data}}))


def outputs(users: Population) -> dict[str, list[str]]:
    return {user.id: [item.output for item in user.history] for user in users.train}


@pytest.mark.parametrize("named", [True, False])
def test_by_people_a_person_on_both_sides_is_refused_with_and_without_ids(tmp_path: Path, named: bool) -> None:
    ids = {"user_id": "ann"} if named else {}
    lamp(tmp_path, "train", question(6, **ids), question(6, "v"))
    lamp(tmp_path, "dev", question(8, **ids), question(7, "w"))
    with pytest.raises(ValueError, match='data.protocol = "time"') as refused:
        found(tmp_path)
    assert "title" not in str(refused.value) and ("'ann'" in str(refused.value)) == named
    lamp(tmp_path, "dev", question(7, "w"))
    assert len(list(found(tmp_path).train)) == 2


def test_an_earlier_file_to_be_asked_of_is_found_too(tmp_path: Path) -> None:
    lamp(tmp_path, "train", question(9))
    lamp(tmp_path, "dev", question(6))
    with pytest.raises(ValueError, match="look like one person"):
        found(tmp_path)


def test_people_who_share_few_items_are_different_people(tmp_path: Path) -> None:
    """Co-authors: all of a short history is another's, too."""
    lamp(tmp_path, "train", question(4))
    lamp(tmp_path, "dev", question(8))
    assert list(found(tmp_path).train)
    own = [item(n) for n in range(6)]
    lamp(tmp_path, "train", question(6, profile=[*own, item(0, "other")]))
    assert list(found(tmp_path).train)


@pytest.mark.parametrize("named", [True, False])
@pytest.mark.parametrize("time", [True, False])
def test_by_time_a_person_trains_with_what_is_before_the_first_question(
    tmp_path: Path, named: bool, time: bool
) -> None:
    ids = {"user_id": "ann"} if named else {}
    lamp(tmp_path, "train", question(6, time=time, **ids), question(3, "v", time=time))
    lamp(tmp_path, "dev", question(8, time=time, **ids), question(2, "w", time=time))
    users = found(tmp_path, protocol="time")
    assert [len(titles) for titles in outputs(users).values()] == [7, 4]  # the histories, and the training questions
    assert not users.report.notes[LEFT_OUT]
    lamp(tmp_path, "train", question(9, time=time, **ids), question(3, "v", time=time))
    lamp(tmp_path, "dev", question(5, time=time, **ids))
    users = found(tmp_path, protocol="time")
    first, second = outputs(users).values()
    assert first == [f"u title {n}" for n in range(5)] and len(second) == 4
    assert users.report.notes[LEFT_OUT] == 5  # items 5 to 8 and the training question


def test_the_negative_control_trains_on_what_is_asked(tmp_path: Path) -> None:
    """Without a link between the ids, which the item of another text breaks, the asked title is trained on."""
    lamp(tmp_path, "train", question(9))
    lamp(tmp_path, "dev", question(5, profile=[*(item(n) for n in range(4)), item(4, "other")]))
    assert "u title 5" in next(iter(outputs(found(tmp_path, protocol="time")).values()))


def test_the_cut_does_not_depend_on_how_many_are_asked(tmp_path: Path) -> None:
    lamp(tmp_path, "train", question(9, user_id="ann"), question(9, "v", user_id="bob"))
    lamp(tmp_path, "dev", question(5, "v", user_id="bob"), question(5, user_id="ann"))
    whole = outputs(found(tmp_path, protocol="time"))
    few = found(tmp_path, protocol="time", dev_users=1)
    assert outputs(few) == whole and len(few.splits["dev"]) == 1 and {len(titles) for titles in whole.values()} == {5}


def test_a_day_of_training_that_is_the_day_of_the_question_is_left_out(tmp_path: Path) -> None:
    lamp(tmp_path, "train", question(5, user_id="ann"))  # asked on the same day, at its last second
    lamp(tmp_path, "dev", question(5, user_id="ann", id="again"))
    assert len(next(iter(outputs(found(tmp_path, protocol="time")).values()))) == 5


def test_one_file_by_time_asks_everybody_the_end_and_trains_on_the_rest(tmp_path: Path) -> None:
    lines = [
        {
            "user_id": f"u{n}",
            "history": [{"input": f"{n} {i}", "output": f"o{n}{i}", "time": i * DAY} for i in range(6)],
        }
        for n in range(5)
    ]
    (tmp_path / "f.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    users = found(tmp_path, protocol="time", train="f.jsonl", held=2)
    store = users.splits["dev"]
    assert store.ids == [user.id for user in users.train] == [f"u{n}" for n in range(5)]
    for place, user in enumerate(users.train):
        asked, queries = store[place]
        assert user.history == asked.history and [query.target for query in queries] == [f"o{place}4", f"o{place}5"]
    assert not {user.id for user in found(tmp_path, train="f.jsonl").train} >= set(store.ids)


def test_users_and_time_are_not_divided_at_once() -> None:
    with pytest.raises(ValueError, match="expected one of the two"):
        DataSettings(protocol="time", split=SplitSettings(kind="few_shot"))
    with pytest.raises(ValueError, match="protocol"):
        resolve({"base": {"name": "x"}, "data": {"protocol": "both"}})


def test_what_stays_is_asked_in_the_same_words(tmp_path: Path) -> None:
    """The training question is an item as the histories have them: the same content names the same thing."""
    lamp(tmp_path, "train", question(6))
    lamp(tmp_path, "dev", question(8))
    [user] = found(tmp_path, protocol="time").train
    assert user.id.startswith(BY_HISTORY) and user.history[-1].input == "u text 6"
    assert task_of("lamp_4").name == user.history[-1].task
