"""The words of a recipe's template reach the bench and the checkpoint; an unknown family is refused."""

import pytest

from tailorlm import recipe as toml
from tailorlm.assembly.checkpoints import Use
from tailorlm.assembly.recipes import TaskSettings, resolve
from tailorlm.assembly.wordings import asked_as
from tailorlm.tasks import lamp_3


def test_the_recipe_names_a_family_or_is_told_the_nearest():
    assert resolve({"base": {"name": "x"}}).tasks == TaskSettings(template="official")
    assert resolve({"base": {"name": "x"}, "tasks": {"template": "prisp"}}).tasks.template == "prisp"
    with pytest.raises(ValueError, match="did you mean p2p"):
        resolve({"base": {"name": "x"}, "tasks": {"template": "p2"}})


def test_a_checkpoint_keeps_it_and_an_older_one_is_official():
    assert toml.settings(Use, {}).template == "official"
    assert toml.settings(Use, {"template": "p2p"}).template == "p2p"
    with pytest.raises(ValueError, match="no 'nobody' in templates"):
        toml.settings(Use, {"template": "nobody"})


def test_the_same_task_is_the_same_object():
    said = lamp_3.INSTRUCTION + "fine"
    assert asked_as("p2p")("lamp_3") is asked_as("p2p")("lamp_3")
    assert asked_as("p2p")("lamp_3").prompt(said) != asked_as("prisp")("lamp_3").prompt(said)
    assert asked_as("p2p")(None).name == "plain"
