"""Settings of users' own training: what cannot work is refused, and a task that there is not is named."""

from dataclasses import replace

import pytest

from tailorlm.data.records import User
from tailorlm.methods import oppu, prisp
from tailorlm.methods.lora import LoraSettings
from tailorlm.methods.own_items import ItemSettings
from tailorlm.methods.task_names import check_names

METHODS = [oppu, prisp]
GIVEN = {"lora": LoraSettings(rank=2), "items": ItemSettings(items=1), "epochs": 1, "batch": 2}


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"epochs": 0}, "epochs is 0"),
        ({"batch": 0}, "batch 0"),
        ({"batches": {"lamp_3": 0}}, "batches {'lamp_3': 0}"),
        ({"rates": {"lamp_3": -1e-4}}, "rates {'lamp_3': -0.0001}"),
        ({"rates": {"lamp_3": float("inf")}}, "rates {'lamp_3': inf}"),
        ({"rates": {"lamp_3": 0.0}}, "valid is above 0"),
    ],
)
def test_paces_that_cannot_work_are_refused(method, given, message):
    with pytest.raises(ValueError, match=message):
        method.Settings(**given)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("setting", ["rates", "batches"])
def test_a_task_that_there_is_not_is_refused_once_tasks_are_known(bench, people, method, setting, tmp_path):
    begin = {"begin": "fresh"} if method is prisp else {}

    def made(name):
        return method.Source(
            bench, method.Settings(**{**GIVEN, "rates": {}, "batches": {}, **begin, setting: {name: 1}})
        )

    user = replace(people[0], history=people[0].history[-2:])
    with pytest.raises(ValueError, match=f"{setting} has a task 'lamp_2', and there is no such task; .*lamp_2m"):
        made("lamp_2").enrol([user])
    made("lamp_2m").enrol([user])  # a file's, though nobody here has items of it
    mine = replace(user, history=tuple(replace(item, task="my_notes") for item in user.history))
    roster = made("my_notes").enrol([mine])
    with pytest.raises(ValueError, match="my_notes"):
        made("my_notes").enrol([user])
    with pytest.raises(ValueError, match="my_note'"):
        made("my_note").more(roster, [mine])
    ready = made("my_notes")
    ready.prepare([User("t", mine.history)], tmp_path / "none")
    ready.enrol([user])  # of the training users' tasks
    made("my_notes").enrol([user], ["my_notes"])  # of those that are asked
    assert made("my_notes").settings.pace.unfiled and not made("lamp_3").settings.pace.unfiled


def test_names_are_files_or_known():
    check_names("rates", ["lamp_3", "own"], {"own"})
    with pytest.raises(ValueError, match="rates has a task 'own', and there is no such task"):
        check_names("rates", ["lamp_3", "own"], ())
