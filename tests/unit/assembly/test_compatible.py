"""What cannot be trained and controls that would do nothing are refused before anything is loaded; the rest is not."""

import pytest

from tailorlm.assembly.compared import Compared, compared
from tailorlm.assembly.compatible import check_row, form_of
from tailorlm.assembly.recipes import Recipe, resolve
from tailorlm.assembly.wanted import Wanted, check_rows, wanted
from tailorlm.methods import mt_lora
from tailorlm.methods.form import BOTH, HISTORY
from tailorlm.plugins import find, names

ALL = ["q_proj", "k_proj", "v_proj", "o_proj"]
MT_ALL = {"name": "task", "adapter": "mt_lora", "settings": {"lora": {"targets": ALL}}}
FRESH = {"begin": "fresh"}
OTHERS = (
    {"name": "alone", "adapter": "oppu", "start": "base"},
    {"name": "prisp_fresh", "adapter": "prisp", "settings": FRESH},
    {"name": "lent", "adapter": "one_sharer", "start": "base"},
)


def recipe(*rows: dict, **tables: dict) -> Recipe:
    return resolve({"base": {"name": "x"}, "eval": {"rows": [], "methods": list(rows)}, **tables})


def row(adapter: str, start: str = "", control: str = "", **settings: object) -> dict:
    return {"name": "x", "adapter": adapter, "start": start, "control": control, "settings": settings}


REFUSED = [
    (row("none", "p2p"), "takes no other source's adapters: leave start out"),
    (row("mt_lora", "p2p"), "x', mt_lora over p2p over mt_lora: it begins at the base"),
    (row("prisp"), 'begin is "anchor", and there is no start: expected start = '),
    (row("prisp", "none"), 'start = "none" has no adapters to begin at'),
    (row("prisp", "p2p", lora={"rank": 4}), "rank 4, and the start is LoRA of rank 8 on q_proj, v_proj: expected"),
    (row("prisp", "p2p", lora={"targets": ["q_proj"]}), r"targets \['q_proj'\] and rank 8, and the start is LoRA"),
    (row("prisp", "p2p", lora={"alpha": 64.0}),
     "alpha = 64, rslora = true} has the scale 22.6274, and the start was trained with 5.65685: expected alpha = 16 "),
    (row("prisp", "text_to_lora", lora={"rslora": False}), "has the scale 2, and .* expected alpha = 45.2548 with"),
    (row("prisp", "mt_lora", lora={"alpha": 4.0}), "alpha = 4, .* expected alpha = 16"),
    (row("prisp", "alone", lora={"alpha": 4.0}), "alpha = 4, .* expected alpha = 16"),
    (row("prisp", "prisp_fresh", lora={"alpha": 4.0}), "alpha = 4, .* expected alpha = 16"),
    (row("prisp", "lent", lora={"targets": ALL, "alpha": 4.0}), "alpha = 4, .* expected alpha = 16"),
    (row("prisp", "p2p", begin="pissa"), 'begin is "pissa", its own anchor: leave start out'),
    (row("prisp", "p2p", task={"data": 50}), "one adapter for everybody, and its start has one for each user"),
    (row("prisp", "task"), "expected lora = {targets = "),
    (row("prisp", "one_sharer"), r"expected lora = {targets = \['k_proj', 'o_proj', 'q_proj', 'v_proj'\], rank = 8}"),
    (row("per_pcs", "mt_lora"), "sharers.lora has targets .* and the start is LoRA of rank 8 on q_proj, v_proj"),
    (row("prime", "mt_lora"), "sharers.lora has targets"),
    (row("one_sharer", "mt_lora"), "sharers.lora has targets"),
    (row("prime", "p2p"), "its start has one for each user: expected one such as mt_lora"),
    (row("p2p", kind="ia3"), 'p2p over mt_lora: kind is "ia3", and the start is LoRA'),
    (row("p2p", "oppu"), "its start has one for each user"),
    (row("p2p", "task"), "and the start is LoRA of rank 8 on k_proj"),
    (row("text_to_lora", "mt_lora", checkpoint="there"), "takes the network of there, which is trained already"),
    (row("text_to_lora", "task"), "and the start is LoRA of rank 8 on k_proj"),
    (row("oppu", "mt_lora", kind="ia3", dropout=0.05), "methods.oppu: dropout is 0.05, and kind \"ia3\""),
    (row("oppu", "task", dropout=0.05), "dropout is 0.05, which acts on the inputs of one LoRA"),
    (row("oppu", control="mean_vector"), 'control "mean_vector" needs adapters made of vectors'),
    (row("prisp", "p2p", control="mean_vector"), 'control "mean_vector" needs adapters made of vectors'),
    (row("oppu", control="words_shuffled"), 'reads none at enrolment: expected "shuffled" or "drawn"'),
    (row("p2p", source="history", net={"pool": "single", "head": "L"}, control="across_tasks"),
     'reads none at enrolment: expected "shuffled" or "drawn"'),
    (row("mt_lora", control="words_shuffled"), "reads none at enrolment: expected no control"),
    (row("mt_lora", control="shuffled"), 'control "shuffled" enrols users with others'),
    (row("none", control="drawn"), "this source reads nothing of users"),
    (row("one_sharer", control="shuffled", choose="most_chosen"), "this source reads nothing of users"),
]  # fmt: skip


@pytest.mark.parametrize(("asked", "said"), REFUSED)
def test_what_cannot_be_is_refused_with_the_row_and_what_could(asked: dict, said: str) -> None:
    with pytest.raises(ValueError, match=said) as refused:
        check_rows(recipe(asked, MT_ALL, *OTHERS))
    assert "'x'" in str(refused.value) or "methods.oppu" in str(refused.value)


POSSIBLE = [
    row("prisp", **FRESH),
    row("prisp", begin="lora_ga"),
    row("prisp", "p2p"),
    row("prisp", "quiet", lora={"targets": ["v_proj", "q_proj"], "alpha": 8**0.5 * 2}),
    row("prisp", "p2p", lora={"rslora": False, "alpha": 8**0.5 * 16}),
    row("prisp", "over", lora={"rank": 16, "alpha": 1.0}),  # two joined, each with its own scale
    row("p2p", "mt_lora", lora={"alpha": 4.0}),  # what P2P begins at becomes a part of its own network
    row("prisp", "text_to_lora", task={"data": 50}),
    row("prisp", "mt_lora", task={"data": "all"}),
    row("prisp", "one_sharer", lora={"targets": ALL}),
    row("prisp", "oppu"),
    row("oppu", lora={"targets": ALL}),
    row("oppu", "mt_lora", lora={"targets": ALL}),
    row("oppu", "mt_lora", lora={"rank": 2}, dropout=0.05),
    row("oppu", "mt_lora", kind="ia3"),
    row("oppu", "text_to_lora"),
    row("per_pcs", "task"),
    row("prime", "task", sharers={"lora": {"rank": 2, "targets": ALL}}),
    row("text_to_lora", "mt_lora"),
    row("p2p", "text_to_lora"),
    row("p2p", "base", kind="ia3"),
    row("p2p", control="mean_vector"),
    row("p2p", source="history", net={"pool": "single", "head": "L"}, control="shuffled"),
    row("prisp", "p2p", control="words_shuffled"),
    row("oppu", items={"context": "profile_only"}, control="words_shuffled"),
    row("oppu", items={"context": "rag"}, control="shuffled"),
]


@pytest.mark.parametrize("asked", POSSIBLE)
def test_what_can_be_is_not_refused(asked: dict) -> None:
    quiet = {"name": "quiet", "adapter": "p2p", "start": "base", "settings": {"lora": {"alpha": 8**0.5 * 2}}}
    check_rows(recipe(asked, MT_ALL, quiet, {"name": "over", "adapter": "oppu", "start": "mt_lora"}))


def test_oppu_of_other_places_is_no_matter_of_mt_lora_s() -> None:
    """It was refused with "begins at MT-LoRA", also where it begins at the base."""
    made = recipe(row("oppu"), methods={"oppu": {"lora": {"targets": ALL}}})
    check_rows(made)
    assert wanted(made, compared(made.eval)[0]).start is None


def test_forms_of_compositions() -> None:
    made = recipe(
        {"name": "own", "adapter": "p2p", "start": "base"}, {"name": "tuned", "adapter": "prisp", "start": "own"},
        {"name": "both", "adapter": "oppu", "start": "mt_lora", "settings": {"lora": {"rank": 3}}}, MT_ALL,
        {"name": "lent", "adapter": "one_sharer", "start": "task"},
        {"name": "k2", "adapter": "p2p", "start": "base", "settings": {"k": 2}},
        {"name": "cut", "adapter": "prisp", "settings": {"begin": "pissa", "train_parts": "full"}},
    )  # fmt: skip
    form = {one.name: form_of(wanted(made, one)) for one in compared(made.eval)}
    assert form["own"] is not None and form["own"].reads == BOTH and form["own"].vectors
    assert form["tuned"] is not None and form["tuned"].reads == BOTH and not form["tuned"].vectors
    assert form["both"] is not None and (form["both"].rank, form["both"].reads) == (11, HISTORY)
    assert form["lent"] is not None and (form["lent"].rank, len(form["lent"].targets)) == (16, 4)
    assert form["cut"] is not None and form["cut"].rank == 16
    assert form["k2"] is not None and form["k2"].each == "query"
    over = Wanted("prisp", wanted(made, row_of(made, "tuned")).settings, wanted(made, row_of(made, "k2")))
    with pytest.raises(ValueError, match=r'row \'y\', prisp over p2p: start = "p2p" makes an adapter a query'):
        check_row("y", over, "")


def row_of(made: Recipe, name: str) -> Compared:
    return next(one for one in compared(made.eval) if one.name == name)


def test_every_method_says_what_it_makes() -> None:
    assert all(callable(find("methods", name).form) for name in names("methods"))


def test_a_method_that_does_not_say_is_not_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(mt_lora, "form")
    silent = Wanted("mt_lora", mt_lora.Settings())
    assert form_of(silent) is None
    made = recipe(row("prisp", "mt_lora", lora={"rank": 3}), methods={}, start="base")
    check_rows(made)
