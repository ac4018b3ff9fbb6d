"""Recipes: the shipped ones resolve, unknown keys are refused, seeds reach the methods, a dump reads back."""

from pathlib import Path

import pytest

from tailorlm import recipe as toml
from tailorlm.assembly.recipes import Recipe, method, plain, read, resolve

SHIPPED = sorted((Path(__file__).parents[3] / "recipes").glob("*.toml"))


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_shipped_recipes_resolve_and_read_back(path: Path, tmp_path: Path) -> None:
    recipe = read(path)
    assert {"mt_lora", "p2p"} <= set(recipe.methods)
    copy = tmp_path / "recipe.toml"
    copy.write_text(toml.dump(plain(recipe)), encoding="utf-8")
    assert read(copy) == recipe


def test_overrides_and_data(tiny_recipe: Path) -> None:
    recipe = read(tiny_recipe, ["methods.p2p.train.steps=9", 'base.dtype="float32"'], "elsewhere")
    assert method(recipe, "p2p").train.steps == 9 and recipe.base.dtype == "float32"
    assert recipe.data.root == "elsewhere" and recipe.data.holdout == 0.3


def test_the_seed_is_everybodys_unless_a_method_has_its_own() -> None:
    recipe = resolve({"base": {"name": "x"}, "seed": 7, "methods": {"p2p": {"train": {"seed": 1}}, "oppu": {}}})
    assert method(recipe, "p2p").train.seed == 1 and method(recipe, "mt_lora").train.seed == 7
    assert method(recipe, "oppu").seed == 7 and method(recipe, "none") is not None


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({}, "base: missing"),
        ({"base": {"nmae": "x"}}, r"base.nmae: no such setting; did you mean name\?"),
        ({"base": {"name": "x"}, "methods": {"p2q": {}}}, r"no 'p2q' in methods; did you mean p2p\?"),
        ({"base": {"name": "x"}, "methods": {"p2p": {"train": {"stpes": 1}}}}, r"methods.p2p.train.stpes.*steps\?"),
        ({"base": {"name": "x"}, "methods": {"p2p": {"train": {"steps": "1"}}}}, "steps: expected a whole number"),
        ({"base": {"name": "x"}, "eval": {"rows": ["p2p", "pp"]}}, r"eval.rows has 'pp'; did you mean p2p\?"),
        ({"base": {"name": "x"}, "eval": {"batch": 0}}, "eval.batch is 0; expected at least 1"),
        ({"base": {"name": "x"}, "eval": {"resamples": 10**9}}, "eval.resamples is 1000000000; expected at most"),
        ({"base": {"name": "x"}, "data": {"holdout": 1.5}}, "data.holdout is 1.5; expected a share"),
        ({"base": {"name": "x"}, "data": {"held": -1}}, "data.held is -1; expected at least 0"),
        (
            {"base": {"name": "x"}, "methods": {"p2p": {"lora": {"rank": 4}}}},
            r"methods.p2p begins at methods.mt_lora .*: lora has .*rank 4, and the start is LoRA of rank 8",
        ),
        ({"base": {"name": "x"}, "start": "oppu"}, "start: expected one of 'mt_lora', 'base'"),
        ({"base": {"name": "x"}, "profile": {"endpoint": {"url": "ftp://x", "model": "m"}}}, "endpoint url"),
    ],
)
def test_what_is_wrong_is_said(table: dict, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        resolve(table)


def test_plain_is_what_toml_can_say() -> None:
    recipe = resolve({"base": {"name": "x"}})
    assert isinstance(recipe, Recipe) and "revision" not in plain(recipe)["base"]
    assert isinstance(plain(recipe)["eval"]["rows"], list)
