"""Variants of recipes: chosen by name on each axis, put over the recipe, beaten by overrides, gone once read."""

import pytest

from tailorlm import recipe as toml
from tailorlm.assembly.variants import load, over

RECIPE = """
scale = "paper"
steps = 20000
[base]
name = "a/big-one"
dtype = "bfloat16"
[methods.p2p.train]
steps = 20000
rates = [1, 2]
[variants.show.table_5]
rows = ["a", "b"]
steps = 500
[variants.scale.tiny]
steps = 3
base.name = "here"
[variants.scale.tiny.methods.p2p.train]
rates = [1]
[variants.scale.small]
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
    assert not {"scale", "show", "variants", "rows"} & found.keys()
    assert load(recipe, ["scale=paper"]) == found


def test_a_variant_goes_over_tables_and_replaces_lists(recipe):
    found = load(recipe, ["scale=tiny"])
    assert found["steps"] == 3
    assert found["base"] == {"name": "here", "dtype": "bfloat16"}
    assert found["methods"]["p2p"]["train"] == {"steps": 20000, "rates": [1]}
    assert not {"scale", "variants"} & found.keys()


def test_axes_go_together_in_the_order_of_the_file(recipe):
    assert load(recipe, ["show=table_5"])["steps"] == 500
    for order in (["show=table_5", "scale=tiny"], ["scale=tiny", "show=table_5"]):
        found = load(recipe, order)
        assert found["steps"] == 3 and found["rows"] == ["a", "b"]
        assert not {"scale", "show"} & found.keys()


@pytest.mark.parametrize("order", [["scale=tiny", "steps=7"], ["steps=7", "scale=tiny"]])
def test_overrides_win_wherever_they_stand(recipe, order):
    found = load(recipe, order)
    assert found["steps"] == 7 and found["base"]["name"] == "here"


def test_a_variant_can_be_changed_or_made_by_overrides(recipe):
    assert load(recipe, ["scale=tiny", "variants.scale.tiny.base.name=there"])["base"]["name"] == "there"
    assert load(recipe, ["scale=own", "variants.scale.own.steps=5"])["steps"] == 5


def test_an_unknown_variant_names_those_that_there_are(recipe):
    with pytest.raises(ValueError, match="scale is 'huge'.*there are: paper, tiny, small$"):
        load(recipe, ["scale=huge"])
    with pytest.raises(ValueError, match="show is 'table_6'.*there are: table_5$"):
        load(recipe, ["show=table_6"])
    with pytest.raises(ValueError, match="scale is 3"):
        load(recipe, ["scale=3"])


def test_a_recipe_without_variants_is_as_it_is(tmp_path):
    path = tmp_path / "r.toml"
    path.write_text("steps = 1\n")
    assert load(path, ["steps=2"]) == toml.load(path, ["steps=2"]) == {"steps": 2}
    assert load(path, ["scale=tiny"]) == {"steps": 1, "scale": "tiny"}  # a setting that its reader will refuse


def test_a_recipe_may_choose_by_itself(tmp_path):
    path = tmp_path / "r.toml"
    path.write_text('scale = "tiny"\nsteps = 9\n[variants.scale.tiny]\nsteps = 1\n')
    assert load(path) == {"steps": 1}


@pytest.mark.parametrize("variants", ["variants = 3", "variants.scale = 3", "variants.scale.tiny = 3"])
def test_what_is_no_table_is_said(tmp_path, variants):
    path = tmp_path / "r.toml"
    path.write_text(variants)
    with pytest.raises(ValueError, match="expected tables"):
        load(path)


def test_nothing_is_changed_in_place():
    table = {"a": {"b": 1, "c": [1]}}
    assert over(table, {"a": {"b": 2}, "d": 3}) == {"a": {"b": 2, "c": [1]}, "d": 3}
    assert table == {"a": {"b": 1, "c": [1]}}
