"""Rows of an evaluation: short names and whole tables say the same; starts, seeds, settings; what is wrong is said."""

from pathlib import Path

import pytest

from tailorlm import recipe as toml
from tailorlm.assembly.compared import PRESETS, Compared, compared, known
from tailorlm.assembly.recipes import Recipe, plain, read, resolve
from tailorlm.assembly.wanted import check_rows, context_settings, moved, over, standard, wanted
from tailorlm.plugins import names


def recipe(eval: dict, **tables: dict) -> Recipe:
    return resolve({"base": {"name": "x"}, "eval": eval, **tables})


def row(made: Recipe, name: str) -> Compared:
    return next(one for one in compared(made.eval) if one.name == name)


def test_short_names_are_tables_written_shorter() -> None:
    whole = [
        {"name": "base"},
        {"name": "base_profile", "context": "profile_only"},
        {"name": "p2p_shuffled", "adapter": "p2p", "control": "shuffled"},
        {"name": "oppu", "adapter": "oppu", "start": "mt_lora", "users": 32},
        {"name": "p2p+rag", "adapter": "p2p", "context": "rag"},
        {"name": "rag", "context": "rag"},
        {"name": "per_pcs", "adapter": "per_pcs"},
    ]
    short = ["base", "base_profile", "p2p_shuffled", "oppu", "p2p+rag", "rag", "per_pcs"]
    assert compared(recipe({"rows": short}).eval) == compared(recipe({"rows": [], "methods": whole}).eval)
    assert compared(recipe({}).eval) == tuple(PRESETS[name] for name in ("base", "mt_lora", "p2p", "p2p_shuffled"))
    assert {*names("methods"), *names("contexts")} <= set(known())


@pytest.mark.parametrize("name", [name for name in known() if name != "none"])
def test_every_source_and_every_context_makes_a_row(name: str) -> None:
    made = recipe({"rows": [name]}, methods={"prisp": {"begin": "fresh"}})
    check_rows(made)
    assert wanted(made, row(made, name)).about()["adapter"] == row(made, name).adapter


def test_rows_that_want_the_same_source_share_it() -> None:
    made = recipe({"rows": ["mt_lora", "p2p", "p2p+rag", "oppu"]})
    first, second = (wanted(made, row(made, name)) for name in ("p2p", "p2p+rag"))
    assert first.key == second.key == standard(made, "p2p").key and first.start is not None
    assert first.start.key == wanted(made, row(made, "mt_lora")).key == standard(made, "mt_lora").key
    assert wanted(made, row(made, "oppu")).start == first.start
    base = recipe({"rows": ["p2p"]}, start="base")
    assert wanted(base, row(base, "p2p")).start is None


def test_a_start_is_another_rows_source_or_a_methods() -> None:
    methods = [
        {"name": "small", "adapter": "p2p", "start": "base", "settings": {"train": {"steps": 3}}},
        {"name": "tuned", "adapter": "oppu", "start": "small", "settings": {"epochs": 1}},
        {"name": "p2p", "adapter": "p2p", "start": "base"},
        {"name": "mt_lora", "adapter": "oppu", "start": "mt_lora"},
    ]
    made = recipe({"rows": [], "methods": methods}, methods={"oppu": {"epochs": 5, "batch": 3}})
    tuned = wanted(made, row(made, "tuned"))
    assert (tuned.settings.epochs, tuned.settings.batch) == (1, 3) and tuned.start == wanted(made, row(made, "small"))
    assert tuned.start.settings.train.steps == 3 and tuned.start.start is None
    assert wanted(made, row(made, "p2p")).key != standard(made, "p2p").key  # the recipe's p2p begins at MT-LoRA
    begun = wanted(made, row(made, "mt_lora")).start
    assert begun == standard(made, "mt_lora") and standard(made, "p2p").start == begun  # rows' names change no method


def test_a_seed_moves_all_seeds() -> None:
    made = recipe({"rows": ["p2p"]}, seed=2, methods={"mt_lora": {"train": {"seed": 7}}})
    one = wanted(made, row(made, "p2p"), 5)
    assert one.settings.train.seed == 5 and one.start is not None and one.start.settings.train.seed == 10
    assert wanted(made, row(made, "p2p"), 2) == wanted(made, row(made, "p2p")) and one.key != standard(made, "p2p").key
    assert moved("no settings", 3) == "no settings"


def test_settings_of_contexts() -> None:
    methods = [{"name": "k4", "context": "rag", "context_settings": {"k": 4}}, {"name": "rag", "context": "rag"}]
    made = recipe({"rows": [], "methods": methods}, contexts={"rag": {"k": 2}})
    assert context_settings(made, row(made, "k4")).k == 4 and context_settings(made, row(made, "rag")).k == 2
    assert over({"a": {"b": 1, "c": 2}, "d": 3}, {"a": {"b": 9}, "d": {"e": 4}}) == {
        "a": {"b": 9, "c": 2},
        "d": {"e": 4},
    }


def test_a_resolved_recipe_reads_back(tmp_path: Path) -> None:
    methods = [{"name": "x", "adapter": "oppu", "start": "p2p", "settings": {"lora": {"rank": 3}}, "users": 4}]
    made = recipe({"rows": ["base", "p2p+rag"], "methods": methods, "seeds": [1, 2]}, contexts={"rag": {"k": 2}})
    (tmp_path / "recipe.toml").write_text(toml.dump(plain(made)), encoding="utf-8")
    assert read(tmp_path / "recipe.toml") == made


@pytest.mark.parametrize(
    ("eval", "tables", "said"),
    [
        ({"rows": ["p2q"]}, {}, r"eval.rows has 'p2q'; did you mean p2p\? there are: base"),
        ({"rows": ["p2p+rga"]}, {}, r"eval row 'p2p\+rga': no 'rga' in contexts; did you mean rag\?"),
        ({"rows": ["p2pp+rag"]}, {}, r"no 'p2pp' in methods; did you mean p2p\?"),
        ({"methods": [{"name": "x", "adapter": "opu"}]}, {}, r"eval row 'x': no 'opu' in methods; did you mean oppu\?"),
        ({"methods": [{"nmae": "x"}]}, {}, r"eval.methods\[0\].nmae: no such setting; did you mean name\?"),
        ({"methods": [{"name": "../x"}]}, {}, r"eval.methods has the name '../x'; expected letters"),
        ({"methods": [{"name": "floor_x"}]}, {}, "not beginning with floor_"),
        ({"methods": [{"name": "x", "users": -1}]}, {}, "users is -1; expected at least 0"),
        ({"methods": [{"name": "x", "control": "swapped"}]}, {}, "control: expected one of '', 'shuffled'"),
        ({"methods": [{"name": "base"}]}, {"eval_rows": ["base"]}, "eval has two rows 'base'"),
        ({"rows": []}, {}, "eval.rows and eval.methods are empty; there are: base"),
        ({"methods": [{"name": "x", "adapter": "oppu", "start": "p2q"}]}, {}, r"starts at 'p2q'; did you mean p2p\?"),
        ({"methods": [{"name": "x", "adapter": "oppu", "settings": {"epoch": 1}}]}, {}, r"methods.oppu.epoch: no such"),
        ({"methods": [{"name": "x", "context": "rag", "context_settings": {"kk": 1}}]}, {}, r"contexts.rag.kk: no"),
        ({"rows": ["base"]}, {"contexts": {"rga": {}}}, r"no 'rga' in contexts; did you mean rag"),
        ({"splits": ["random"]}, {}, "eval.splits has 'random'; there are: dev: \"random\" and"),
        ({"splits": ["dev", "dev"]}, {}, "eval.splits has 'dev' twice"),
        ({"seeds": [1, 1]}, {}, "eval.seeds has 1 twice"),
        ({"limit": -1}, {}, "eval.limit is -1"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said(eval: dict, tables: dict, said: str) -> None:
    rows = tables.pop("eval_rows", eval.get("rows", [] if "methods" in eval else ["base"]))
    with pytest.raises(ValueError, match=said):
        check_rows(recipe({**eval, "rows": rows}, **tables))


def test_starts_do_not_go_round_in_a_circle() -> None:
    methods = [{"name": "a", "adapter": "oppu", "start": "b"}, {"name": "b", "adapter": "oppu", "start": "a"}]
    with pytest.raises(ValueError, match="starts go round in a circle: a -> b -> a"):
        check_rows(recipe({"rows": [], "methods": methods}))
