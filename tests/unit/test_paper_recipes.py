"""The papers' recipes: every variant is a whole recipe, settings are the papers', tiny people are what made them."""

import re
import runpy
import shlex
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest

from tailorlm.assembly.recipes import method, plain, read
from tailorlm.assembly.runs import trained
from tailorlm.assembly.wanted import check_rows, needs, wanted
from tailorlm.data.jsonl import read_users
from tailorlm.data.records import Interaction
from tailorlm.data.splits import load as load_split
from tailorlm.methods import per_pcs, prime
from tailorlm.methods.own_items import ItemSettings
from tailorlm.methods.own_plan import STAGE_2_BATCHES, STAGE_2_RATES
from tailorlm.methods.source import Needs
from tailorlm.profiles.templates import prompt

ROOT = Path(__file__).parents[2]
PAPER = ROOT / "recipes" / "paper"
RECIPES = {name: PAPER / f"{name}.toml" for name in ("p2p", "prisp", "oppu")}
VARIANTS = [
    (paper, f"{axis}={name}")
    for paper, path in RECIPES.items()
    for axis, there in tomllib.loads(path.read_text())["variants"].items()
    for name in there
]
PRISP_TASKS = ("lamp_1", "lamp_2m", "lamp_3", "lamp_4", "lamp_5", "lamp_7")


def resolved(paper, *overrides):
    """The recipe, its rows checked too."""
    recipe = read(RECIPES[paper], overrides)
    check_rows(recipe)
    return recipe


@pytest.mark.parametrize(("paper", "chosen"), [*((paper, "seed=0") for paper in RECIPES), *VARIANTS])
def test_every_variant_is_a_whole_recipe_at_both_scales(paper, chosen):
    assert resolved(paper, chosen).base.name.split("/")[0] in ("Qwen", "src")
    tiny = resolved(paper, chosen, "scale=tiny")
    assert tiny.base.name == "src/tailorlm/demo/base"
    assert tiny.data.root == "recipes/paper/tiny" + ("" if paper == "p2p" else "/LaMP_2M")
    assert max(method(tiny, name).train.steps for name in ("mt_lora", "p2p") if name in tiny.methods) < 1001


def test_table_3_is_judged_by_whom_the_command_names():
    assert resolved("p2p").eval.judge is None and resolved("p2p", "show=table_3").eval.judge.endpoint is None
    asked = ("eval.judge.endpoint.url=http://127.0.0.1:9/v1", "eval.judge.endpoint.model=a/b:c-1.5")
    judge = resolved("p2p", "show=table_3", "scale=tiny", *asked).eval.judge
    assert judge.endpoint.url == "http://127.0.0.1:9/v1" and judge.endpoint.model == "a/b:c-1.5"
    assert judge.tasks == ("personal_reddit", "empathic") and judge.splits == ()  # both splits
    # One training serves tables 1 to 3: whoever brings a profile keeps it, the others are summarised.
    assert resolved("p2p").profile.kind == resolved("p2p", "show=table_3").profile.kind == "given_or_llm"
    assert trained(resolved("p2p")) == trained(resolved("p2p", "show=table_3")) | {"eval": plain(resolved("p2p").eval)}


def test_p2p_is_as_the_paper_says():
    recipe = resolved("p2p")
    own = method(recipe, "p2p")
    assert recipe.base.name == "Qwen/Qwen2.5-7B-Instruct" and recipe.encoder.name == "Qwen/Qwen3-Embedding-4B"
    assert (own.train.learning_rate, own.train.steps, own.train.warmup, own.train.clip) == (2e-5, 20000, 0.2, 1.0)
    assert (own.batch.users * own.batch.rows, own.batch.tasks, own.k) == (32, 4, 2)
    assert (own.lora.rank, own.lora.targets, round(own.lora.scaling, 2)) == (8, ("q_proj", "v_proj"), 5.66)
    assert (own.net.latent, own.net.head_in, own.net.head, own.net.pool) == (1024, 2048, "L", "single")
    assert recipe.contexts["rag"]["k"] == recipe.contexts["pag"]["k"] == 2
    sizes = {task: recipe.data.split.of(task).size for task in ("lamp_2m", "lamp_4", "empathic")}
    assert recipe.data.split.by == "task" and sizes == {"lamp_2m": 0, "lamp_4": 100, "empathic": 10}
    oppu = next(row for row in recipe.eval.methods if row.adapter == "oppu")
    assert wanted(recipe, oppu).start is None, "P2P's OPPU begins at the base"
    assert wanted(recipe, oppu).settings.items.items == 0


def test_oppu_s_own_settings_are_not_prisp_s():
    """Reference section 3: a task LoRA of 3 epochs, then 2 of the user's own items; batches of 16, 1e-4, q and v."""
    recipe = resolved("oppu")
    task, own = method(recipe, "mt_lora"), method(recipe, "oppu")
    assert (task.epochs, task.batch.users * task.batch.rows, task.train.learning_rate) == (3, 16, 1e-4)
    assert (own.epochs, own.batch, own.train.learning_rate, own.batches, own.rates) == (2, 16, 1e-4, {}, {})
    assert task.lora.targets == own.lora.targets == ("q_proj", "v_proj")
    assert own.items == ItemSettings() and task.items == ItemSettings(asked=True)  # all items, plain
    rows = {row.name: wanted(recipe, row) for row in recipe.eval.methods}
    assert all(rows[name].start.key == rows["mt_lora"].key for name in rows if name.startswith("oppu"))
    other = resolved("prisp", "amount=full")  # the same people are asked, in the same words
    assert (other.data.root, other.data.dev, other.tasks) == (recipe.data.root, recipe.data.dev, recipe.tasks)


@pytest.mark.parametrize("task", PRISP_TASKS)
def test_prisp_s_numbers_are_table_7_s(task):
    chosen = [] if task == "lamp_2m" else [f"task={task}"]
    recipe = resolved("prisp", *chosen)
    assert method(recipe, "per_pcs") == per_pcs.PUBLISHED[task]
    assert method(recipe, "prime") == prime.PUBLISHED[task]
    for name in ("oppu", "prisp"):
        own = method(recipe, name)
        assert (own.rates, own.batches, own.epochs, own.items.items) == (STAGE_2_RATES, STAGE_2_BATCHES, 1, 10)
    assert method(recipe, "oppu").items == method(recipe, "prisp").items
    lent = method(recipe, "one_sharer")
    assert (lent.sharers, lent.nearest) == (method(recipe, "prime").sharers, method(recipe, "prime").nearest)


def test_profiles_are_asked_for_as_each_paper_does_task_by_task():
    template = resolved("prisp").profile.template
    assert set(template.instructions) == set(PRISP_TASKS)  # table 15; LongLaMP has the default
    asked = {task: prompt(template, "u", [Interaction("in", "out", 0.0, task)]) for task in PRISP_TASKS}
    assert len(set(asked.values())) == 6 and all("<answered>out</answered>" in one for one in asked.values())
    assert "most popular tag: <tag>" in asked["lamp_2m"]
    assert "most common positive score: <score>, most common negative score: <score>" in asked["lamp_3"]
    template = resolved("p2p").profile.template
    assert set(template.descriptions) == set(runpy.run_path(str(PAPER / "tiny" / "make.py"))["MAKERS"])
    for task, words in template.descriptions.items():
        said = prompt(template, "u", [Interaction("in", "out", 0.0, task)], task)
        assert words in said and "{" not in said and "- topics" not in said
    for paper in ("p2p", "prisp"):  # whole replies, as the papers take them
        template = resolved(paper).profile.template
        assert template.headings == template.sensitive == () and "{headings}" not in template.instruction


def test_prisp_trains_all_lora_with_dropout_and_on_both_versions():
    """Appendix B: a rate of 0.05 on all LoRA layers; two versions of each item, for all baselines."""
    recipe = resolved("prisp")
    both = ItemSettings(context="rag_pag", options={"k": 1})
    for name in ("per_pcs", "prime", "one_sharer"):
        how = method(recipe, name).sharers
        assert (how.items, how.dropout) == (both, 0.05)
    assert method(recipe, "per_pcs").gates.items == both
    for items in (method(recipe, "mt_lora").items, method(recipe, "prisp").task.items):
        assert items == replace(both, asked=True)
    for name in ("oppu", "prisp"):
        assert method(recipe, name).items == replace(both, items=10)
    trained = (
        method(recipe, "oppu"),
        method(recipe, "prisp"),
        method(recipe, "prisp").task,
        method(recipe, "mt_lora").loss,
    )
    assert {how.dropout for how in (*trained, method(recipe, "text_to_lora").loss)} == {0.05}


def sources(*chosen):
    """What each row of PRISP's recipe wants, by its name."""
    recipe = resolved("prisp", *chosen)
    return {row.name: wanted(recipe, row) for row in recipe.eval.methods}


CONTEXTS = ("", "+rag", "+pag", "+rag_pag")


def test_prisp_s_task_lora_sees_its_rows_three_times_and_the_others_have_four_places():
    task = method(resolved("prisp"), "mt_lora")
    assert (task.epochs, task.batch.users * task.batch.rows, task.train.learning_rate) == (3, 6, 1e-4)
    assert task.items.asked and (task.items.context, task.items.options) == ("rag_pag", {"k": 1})
    further = method(resolved("prisp"), "prisp").task
    assert (further.epochs, further.batch, further.items, further.train.learning_rate) == (3, 6, task.items, 1e-4)
    rows = sources()
    targets = {name: source.settings.lora.targets for name, source in rows.items() if hasattr(source.settings, "lora")}
    assert {len(targets[name]) for name in ("np", "rag", "pag", "rag_pag", "task")} == {4}
    assert targets["oppu"] == ("q_proj", "v_proj") == rows["oppu"].start.settings.lora.targets


def test_all_rows_of_tables_2_and_13_are_in_one_run_each_trained_on_its_own_people():
    rows = sources()
    assert set(rows) == {"np", "rag", "pag", "rag_pag", "task", "anchor"} | {
        name + context for name in ("oppu", "per_pcs", "prime", "prisp") for context in CONTEXTS
    }
    assert rows["np"].train == rows["oppu"].train == rows["oppu"].start.train == ""  # the 50 rows
    for name in ("per_pcs", "prime"):
        assert len({rows[name + context].key for context in CONTEXTS}) == 1
        assert rows[name].train == "sharers.jsonl" and rows[name].start.key == rows["np"].key
    for context in CONTEXTS:
        made = rows[f"prisp{context}"]
        assert made.settings.task.data == 0
        assert needs(made) == Needs(task_data=False, other_users=False, user_training=True)  # table 2's columns
        assert (made.start.adapter, made.start.train) == ("text_to_lora", "../text_to_lora.jsonl")


YES, NO = True, False
TABLE_2 = {
    "np": (NO, YES), "rag": (NO, YES), "pag": (NO, YES), "rag_pag": (NO, YES), "per_pcs": (YES, YES),
    "prime": (YES, YES), "oppu": (NO, YES), "prisp": (NO, NO),
}  # fmt: skip
"""PRISP, table 2: shared parameters, requires task data."""


def test_what_each_row_needs_is_what_table_2_says():
    rows = sources()
    found = {name: needs(rows[name]) for name in TABLE_2}
    assert {name: (own.other_users, own.task_data) for name, own in found.items()} == TABLE_2
    assert {name for name, own in found.items() if own.user_training} == {"oppu", "prime", "prisp"}
    for context in CONTEXTS:
        for name in ("oppu", "per_pcs", "prime", "prisp"):
            assert needs(rows[name + context]) == found[name]


def test_what_rows_need_that_have_or_lack_task_data():
    rows = sources("show=table_9")
    for name in ("oppu_no_task_data", "rag_pag_no_task_data", "prisp"):
        assert not needs(rows[name]).task_data
    assert needs(rows["prisp_50"]).task_data and not needs(rows["prisp_50"]).other_users
    lent = sources("show=figure_5")
    assert needs(lent["prisp_sharer"]) == Needs(task_data=True, other_users=True, user_training=True)
    recipe = resolved("p2p")
    for row in recipe.eval.methods:
        assert not needs(wanted(recipe, row)).other_users


def test_with_all_data_sharers_rows_are_task_data_of_those_who_borrow_nothing():
    rows = sources("amount=full")
    assert resolved("prisp", "amount=full").data.train == "all_rows.jsonl"
    assert rows["np"].train == rows["oppu"].start.train == rows["prisp"].train == ""
    assert needs(rows["prisp"]).task_data
    assert rows["prisp"].settings.task.data == "all" and rows["prisp"].start.train == "../text_to_lora.jsonl"
    for name in ("per_pcs", "prime"):
        assert rows[name].train == "sharers.jsonl" and rows[name].start.train == "task_all.jsonl"
    assert {rows[name].settings.items.items for name in ("oppu", "prisp")} == {0}


def test_table_9_is_one_run():
    rows = sources("show=table_9")
    assert {rows["prisp"].settings.task.data, rows["prisp_50"].settings.task.data} == {0, "all"}
    assert rows["prisp"].start == rows["prisp_50"].start and rows["prisp_50"].train == ""  # task_50.jsonl
    assert rows["oppu"].start.adapter == "mt_lora" and rows["oppu_no_task_data"].start is None
    assert rows["rag_pag"].adapter == "mt_lora" and rows["rag_pag_no_task_data"].adapter == "none"


def test_figure_7_lends_from_another_task():
    other = ["show=figure_7", "data.groups.sharers=../LaMP_3/sharers.jsonl", "data.groups.task=../LaMP_3/task_50.jsonl"]
    rows, own = sources(*other), sources()
    assert (
        rows["per_pcs"].train == "../LaMP_3/sharers.jsonl" and rows["per_pcs"].start.train == "../LaMP_3/task_50.jsonl"
    )
    assert rows["per_pcs"].settings == own["per_pcs"].settings and rows["per_pcs"].key != own["per_pcs"].key


def commands():
    """(paper, overrides) of every command for a paper's recipe in docs/reproduce.md."""
    text = (ROOT / "docs" / "reproduce.md").read_text()
    for line in re.findall(r"tailor eval recipes/paper/[^`\n]*", text):
        words = shlex.split(line.split("#")[0])
        sets = [words[place + 1] for place, word in enumerate(words) if word == "--set"]
        yield Path(words[2]).stem, sets


def test_every_command_of_the_docs_is_a_recipe_whose_tiny_files_are_there():
    found = list(commands())
    assert len(found) > 20
    for paper, sets in found:
        whole = resolved(paper, *sets)
        tiny = resolved(paper, *sets, "scale=tiny")
        assert named(tiny) == named(whole), "scale=tiny would show another file's way than the paper's"
        missing = [path for path in named(tiny) if not (ROOT / tiny.data.root / path).is_file()]
        assert not missing, (paper, sets)
        assert whole.data.split.file or paper != "p2p", "P2P's tables ask the same users"


def named(recipe):
    """The files of users, and of a split, that a recipe names."""
    data = recipe.data
    return [path for path in (data.train, data.dev, *data.groups.values(), data.split.file) if path]


def test_tiny_shares_and_amounts_are_different_data():
    few, full = resolved("prisp", "scale=tiny"), resolved("prisp", "amount=full", "scale=tiny")
    rows = [
        sum(len(asked) for _, asked in read_users(ROOT / recipe.data.root / path))
        for recipe in (few, full)
        for path in (recipe.data.train, recipe.data.groups["task"])
    ]
    assert rows == [8, 8, 20, 12]
    items = [
        sum(len(user.history) for user, _ in read_users(ROOT / one.data.root / one.data.dev)) for one in (few, full)
    ]
    assert items == [40, 48]
    train = [
        len(load_split(ROOT / "recipes/paper/tiny" / f"users_{n}" / "split.json").part("train")) for n in (20, 100)
    ]
    assert train[0] < train[1] == 6


def test_every_table_and_figure_has_its_place_in_the_docs():
    text = (ROOT / "docs" / "reproduce.md").read_text()
    p2p, prisp = re.split(r"^## PRISP", text, flags=re.MULTILINE)[:2]
    for number in range(1, 8):
        assert re.search(rf"[Tt]ables? [\d, and]*\b{number}\b", p2p), f"P2P table {number}"
    for number in range(3, 7):
        assert f"igure {number}" in p2p or f"igures {number}" in p2p, f"P2P figure {number}"
    for number in (2, 3, 4, 5, *range(8, 15)):
        assert re.search(rf"\b{number}\b", prisp), f"PRISP table {number}"
    for number in (1, *range(3, 10)):
        assert re.search(rf"[Ff]igures? [\d, and]*\b{number}\b", prisp), f"PRISP figure {number}"


def test_tiny_people_are_what_their_code_makes(tmp_path):
    made = runpy.run_path(str(PAPER / "tiny" / "make.py"))
    made["main"](tmp_path)
    there = sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*.json*"))
    assert there == sorted(path.relative_to(PAPER / "tiny") for path in (PAPER / "tiny").rglob("*.json*"))
    for path in there:
        assert (tmp_path / path).read_text() == (PAPER / "tiny" / path).read_text()
    assert all(user.profile and "\n" in user.profile for user, _ in read_users(tmp_path / "text_to_lora.jsonl"))
    people = dict(pairs_of(tmp_path / "users.jsonl"))
    assert all(len(history) == 4 * len(made["MAKERS"]) for history in people.values())
    split = load_split(tmp_path / "split.json")
    assert set(people) == {id for ids in split.parts.values() for id in ids}
    assert [len(split.part(part)) for part in ("train", "random", "ood")] == [6, 2, 2]


def pairs_of(path):
    return ((user.id, user.history) for user, _ in read_users(path))
