"""Rows in context are trained on as they are asked: contexts' tables and profiles reach every method's items."""

from pathlib import Path

import pytest

from tailorlm import recipe as toml
from tailorlm.assembly import runs
from tailorlm.assembly.compared import compared
from tailorlm.assembly.recipes import Recipe, method, plain, read, resolve, trained_as
from tailorlm.assembly.wanted import Wanted, check_rows, standard, wanted

WORDS = "Known:\n{profile}\n\n"
SHOWN = {"context": "rag_pag", "options": {"k": 2}}


def recipe(contexts: dict, profiles: str = "task", **methods: dict) -> Recipe:
    rows = ["mt_lora", "oppu", "per_pcs", {"name": "prisp", "adapter": "prisp", "settings": {"begin": "fresh"}}]
    short, whole = ([row for row in rows if isinstance(row, kind)] for kind in (str, dict))
    eval = {"rows": short, "methods": whole, "profiles": profiles}
    return resolve({"base": {"name": "x"}, "contexts": contexts, "eval": eval, "methods": methods})


def sources(made: Recipe) -> dict[str, Wanted]:
    return {row.name: wanted(made, row) for row in compared(made.eval)}


METHODS = {
    "mt_lora": {"items": SHOWN}, "oppu": {"items": SHOWN}, "per_pcs": {"sharers": {"items": SHOWN}},
    "prisp": {"items": SHOWN, "task": {"items": SHOWN, "data": 5}},
}  # fmt: skip


@pytest.mark.parametrize("profiles", ["task", "all"])
def test_the_words_of_contexts_and_their_profiles_reach_training_rows(profiles: str) -> None:
    made = sources(recipe({"rag_pag": {"profile": WORDS, "k": 7, "order": "oldest_first"}}, profiles, **METHODS))
    own = [
        made["mt_lora"].settings.items, made["oppu"].settings.items, made["per_pcs"].settings.sharers.items,
        made["prisp"].settings.items, made["prisp"].settings.task.items,
    ]  # fmt: skip
    for items in own:
        filled = items.filled()
        assert (filled.profile, filled.order, filled.k) == (WORDS, "oldest_first", 2)  # the method's own k wins
        assert items.profiles == profiles


def test_plain_rows_and_what_a_method_says_itself_stay() -> None:
    words = {"rag_pag": {"profile": WORDS}}
    own = {"context": "rag_pag", "options": {"profile": "{profile}"}, "profiles": "all"}
    made = sources(recipe(words, oppu={"items": own}))
    assert made["oppu"].settings.items.filled().profile == "{profile}" and made["oppu"].settings.items.profiles == "all"
    plain_rows = sources(recipe({}))["mt_lora"]
    assert made["mt_lora"] == plain_rows and plain_rows.settings.items.profiles is None


def test_rows_in_other_words_are_another_source() -> None:
    before, after = (sources(recipe({"rag_pag": {"profile": words}}, **METHODS)) for words in (WORDS, "{profile}"))
    assert all(before[name].key != after[name].key for name in METHODS)
    told = sources(recipe({"rag_pag": {"profile": WORDS}}, "all", **METHODS))
    assert all(before[name].key != told[name].key for name in METHODS)
    made = recipe({"rag_pag": {"profile": WORDS}}, **METHODS)
    assert standard(made, "mt_lora").settings == trained_as(made, "mt_lora") != method(made, "mt_lora")


def test_a_run_of_rows_in_context_is_not_gone_on_with_in_other_words(tmp_path: Path) -> None:
    first = recipe({"rag_pag": {"profile": WORDS}}, **METHODS)
    runs.open_run(tmp_path, first)
    (tmp_path / "mt_lora").mkdir()
    (tmp_path / "mt_lora" / "state.pt").write_bytes(b"training began")
    runs.check_run(tmp_path, first)
    assert read(tmp_path / "recipe.toml") == first
    for other in (recipe({}, **METHODS), recipe({"rag_pag": {"profile": WORDS}}, "all", **METHODS)):
        assert runs.changed(runs.trained(first), runs.trained(other))
        with pytest.raises(ValueError, match=r"a run of another recipe: methods.mt_lora.items"):
            runs.check_run(tmp_path, other)
    same = recipe({"rag": {"k": 3}}, "all")  # mt_lora sees plain rows: free to change
    assert runs.changed(runs.trained(recipe({})), runs.trained(same)) == []


def test_a_table_of_a_context_is_checked_whoever_shows_it() -> None:
    with pytest.raises(ValueError, match=r"contexts.rag.kk: no such setting; did you mean k\?"):
        resolve({"base": {"name": "x"}, "contexts": {"rag": {"kk": 1}}})
    made = recipe({"rag_pag": {"profile": WORDS}}, **METHODS)
    check_rows(made)
    assert toml.dump(plain(made))
