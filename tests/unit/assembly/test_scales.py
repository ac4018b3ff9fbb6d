"""Scales of recipes: chosen by name, put over the recipe, beaten by overrides, gone from what is read."""

import pytest

from tailorlm import recipe as toml
from tailorlm.assembly.scales import load, over, scaled

RECIPE = """
scale = "paper"
steps = 20000
[base]
name = "a/big-one"
dtype = "bfloat16"
[methods.p2p.train]
steps = 20000
rates = [1, 2]
[scales.tiny]
steps = 3
base.name = "here"
[scales.tiny.methods.p2p.train]
rates = [1]
[scales.small]
steps = 30
"""


@pytest.fixture
def recipe(tmp_path):
    path = tmp_path / "r.toml"
    path.write_text(RECIPE)
    return path


def test_without_a_word_it_is_what_is_written(recipe):
    found = load(recipe)
    assert found["steps"] == 20000 and found["base"]["name"] == "a/big-one"
    assert not {"scale", "scales"} & found.keys()
    assert load(recipe, ["scale=paper"]) == found


def test_a_scale_goes_over_tables_and_replaces_lists(recipe):
    found = load(recipe, ["scale=tiny"])
    assert found["steps"] == 3
    assert found["base"] == {"name": "here", "dtype": "bfloat16"}
    assert found["methods"]["p2p"]["train"] == {"steps": 20000, "rates": [1]}
    assert not {"scale", "scales"} & found.keys()


@pytest.mark.parametrize("order", [["scale=tiny", "steps=7"], ["steps=7", "scale=tiny"]])
def test_overrides_win_wherever_they_stand(recipe, order):
    found = load(recipe, order)
    assert found["steps"] == 7 and found["base"]["name"] == "here"


def test_a_scale_can_be_changed_or_made_by_overrides(recipe):
    assert load(recipe, ["scale=tiny", "scales.tiny.base.name=there"])["base"]["name"] == "there"
    assert load(recipe, ["scale=own", "scales.own.steps=5"])["steps"] == 5


def test_an_unknown_scale_names_those_that_there_are(recipe):
    with pytest.raises(ValueError, match="scale is 'huge'.*there are: paper, tiny, small"):
        load(recipe, ["scale=huge"])


def test_a_recipe_of_one_size(tmp_path):
    path = tmp_path / "r.toml"
    path.write_text("steps = 1\n")
    assert load(path) == toml.load(path) == {"steps": 1}
    with pytest.raises(ValueError, match="there are: none"):
        load(path, ["scale=tiny"])


def test_a_recipe_may_be_small_by_itself(tmp_path):
    path = tmp_path / "r.toml"
    path.write_text('scale = "tiny"\nsteps = 9\n[scales.tiny]\nsteps = 1\n')
    assert load(path) == {"steps": 1}


@pytest.mark.parametrize("scales", ["scales = 3", "scales.tiny = 3"])
def test_what_is_no_table_is_said(tmp_path, scales):
    path = tmp_path / "r.toml"
    path.write_text(scales)
    with pytest.raises(ValueError, match="expected tables"):
        load(path)


def test_nothing_is_changed_in_place():
    table = {"a": {"b": 1, "c": [1]}}
    assert over(table, {"a": {"b": 2}, "d": 3}) == {"a": {"b": 2, "c": [1]}, "d": 3}
    assert table == {"a": {"b": 1, "c": [1]}}
    assert scaled({"scale": "x", "scales": {"x": {"a": 1}}, "a": 0}) == {"a": 1}
