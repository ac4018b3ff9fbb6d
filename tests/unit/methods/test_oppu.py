"""OPPU: PRISP's stage-2 settings, other kinds of adapters, going on, stopping and going on."""

from dataclasses import replace

import pytest
import torch

from tailorlm import recipe
from tailorlm.adapters.batch import Adapters
from tailorlm.methods import oppu
from tailorlm.methods.lora import LoraSettings
from tailorlm.methods.own_items import ItemSettings, own_rows
from tailorlm.methods.owners import Owner
from tailorlm.methods.source import shared_start
from tailorlm.training.many import ManySettings

LORA = LoraSettings(rank=4, alpha=8.0)
KINDS = {
    "ia3": {"targets": ["k_proj", "v_proj", "down_proj"]},
    "prompt_tuning": {"tokens": 3},
    "prefix_tuning": {"tokens": 3},
}


def settings(**given):
    return oppu.Settings(**{"lora": LORA, "batch": 4, "train": ManySettings(learning_rate=2e-2), **given})


@pytest.fixture(scope="module")
def few(people):
    return [replace(user, history=own(user)[:n]) for n, user in zip((2, 3, 5, 0), people, strict=False)]


def own(user):
    """The user's short items."""
    return tuple(item for item in user.history if item.task in ("headline", "tweet"))


@pytest.fixture(scope="module")
def bench(bench):
    """Short rows: the tiny tokenizer has a token a byte."""
    return replace(bench, max_tokens=128)


@pytest.fixture(scope="module")
def task(bench):
    space = LORA.space(bench.backbone)
    generator = torch.Generator().manual_seed(5)
    return Adapters(space, {n: 0.2 * torch.randn(1, *s, generator=generator) for n, s in space.shapes().items()})


def logits(bench, made, adapters, index, text="Write a headline: rain opens the match"):
    ids = bench.backbone.tokenizer(text, return_tensors="pt")["input_ids"].expand(len(index), -1)
    with torch.no_grad(), made.injector(adapters, torch.tensor(index)):
        return bench.backbone.model(ids).logits


def test_stage_2_is_prisps_and_reads_as_a_recipe():
    stage = oppu.stage_2()
    assert (stage.epochs, stage.items.items, stage.items.context) == (1, 10, "rag_pag")
    assert stage.rates["lamp_5"] == 1e-6 and stage.batches["lamp_3"] == 6
    table = {"epochs": 1, "items": {"items": 10, "context": "rag_pag", "options": {"k": 1}},
             "dropout": 0.05, "rates": dict(stage.rates), "batches": dict(stage.batches)}  # fmt: skip
    assert recipe.settings(oppu.Settings, table) == stage


@pytest.mark.parametrize("kind", KINDS)
def test_users_of_other_kinds_side_by_side_equal_users_alone(bench, few, kind):
    made = oppu.Source(bench, settings(kind=kind, options=KINDS[kind], epochs=1))
    together = made.enrol(few)
    with_all = logits(bench, made, together.adapters, [0, 1, 2])
    base = logits(bench, made, None, [-1])[0]
    for number in (0, 2):
        alone = made.enrol([few[number]])
        for name, tensor in alone.adapters.tensors.items():
            assert torch.allclose(tensor[0], together.adapters.tensors[name][number], atol=1e-5)
        assert torch.allclose(logits(bench, made, alone.adapters, [0])[0], with_all[number], atol=1e-4)
        assert (with_all[number] - base).abs().max() > 1e-4


@pytest.mark.parametrize("kind", ["ia3", "prompt_tuning"])
def test_a_task_lora_stands_frozen_under_another_kind(bench, few, task, kind):
    made = oppu.Source(bench, settings(kind=kind, options=KINDS[kind], epochs=1), shared_start(task))
    roster = made.enrol(few)
    alone = oppu.Source(bench, settings(), shared_start(task))
    only_task = logits(bench, alone, alone.enrol(few[3:]).adapters, [0])[0]
    found = logits(bench, made, roster.adapters, [0, 1, 3])
    for name, tensor in task.tensors.items():
        assert torch.equal(roster.adapters.tensors[f"under/{name}"], tensor.expand(4, *tensor.shape[1:]))
    assert (found[0] - found[1]).abs().max() > 1e-4
    if kind == "ia3":  # neutral at the start: without items the task LoRA alone
        assert torch.allclose(found[2], only_task, atol=1e-5)


def test_users_of_newest_items_in_context_equal_users_alone(bench, few, task):
    items = ItemSettings(items=4, context="rag_pag", options={"k": 1})
    made = oppu.Source(bench, settings(items=items), shared_start(task))
    together = made.enrol(few)
    assert len(own_rows(bench, [Owner(few[2])], items, 0).rows) == 2 * 4
    for number in (0, 2):
        alone = made.enrol([few[number]])
        for name, tensor in alone.adapters.tensors.items():
            assert torch.allclose(tensor[0], together.adapters.tensors[name][number], atol=1e-5)


def test_new_items_train_their_user_alone(bench, few, people, task):
    made = oppu.Source(bench, settings(), shared_start(task))
    before = made.enrol(few)
    more = [few[0], replace(few[1], history=own(people[1])[:5]), *few[2:]]
    after = made.more(before, more)
    for name, tensor in before.adapters.tensors.items():
        assert torch.equal(tensor[[0, 2, 3]], after.adapters.tensors[name][[0, 2, 3]])
        rows = tensor.narrow(2 if name.endswith(".A") else 3, 0, 4)
        assert torch.equal(rows, task.tensors[name].expand_as(rows))
    assert not torch.equal(before.tuned.params["q_proj.B"][1], after.tuned.params["q_proj.B"][1])
    again = made.restored(more, after.tuned)
    assert all(torch.equal(t, again.adapters.tensors[n]) for n, t in after.adapters.tensors.items())
    with pytest.raises(ValueError, match="4 owners were kept, 2 are named"):
        made.restored(more[:2], after.tuned)


def test_a_newcomer_without_items_begins_to_learn_later(bench, few, people, task):
    made = oppu.Source(bench, settings(), shared_start(task))
    before = made.enrol(few)
    after = made.more(before, [replace(few[3], history=own(people[3])[:4])])
    assert before.tuned.seen[3] == frozenset() and len(after.tuned.seen[3]) == 4
    assert after.tuned.params["q_proj.B"][3].any() and not before.tuned.params["q_proj.B"][3].any()


def test_a_stopped_enrolment_goes_on_exactly(bench, few, task, tmp_path):
    made = oppu.Source(bench, settings(epochs=3), shared_start(task))
    whole = made.enrol(few)

    def stop(step, grads):
        if step == 3:
            raise RuntimeError("killed")

    with pytest.raises(RuntimeError, match="killed"):
        made.enrol(few, directory=tmp_path, observe=stop)
    again = made.enrol(few, directory=tmp_path)
    assert all(torch.equal(t, again.adapters.tensors[n]) for n, t in whole.adapters.tensors.items())
    with pytest.raises(ValueError, match="other users, items, settings"):
        made.enrol(few[::-1], directory=tmp_path)


def test_dropout_is_each_rows_own_and_acts_in_training_only(bench, few, task):
    made = oppu.Source(bench, settings(dropout=0.3, epochs=1), shared_start(task))
    together = made.enrol(few[:3])
    without = oppu.Source(bench, settings(epochs=1), shared_start(task)).enrol(few[:3])
    for number in (0, 2):
        alone = made.enrol(few[number : number + 1])
        for name, tensor in alone.adapters.tensors.items():
            assert torch.allclose(tensor[0], together.adapters.tensors[name][number], atol=1e-5)
    assert any(
        not torch.allclose(t, without.adapters.tensors[n], atol=1e-4) for n, t in together.adapters.tensors.items()
    )
    assert torch.equal(logits(bench, made, together.adapters, [0]), logits(bench, made, together.adapters, [0]))
    with pytest.raises(ValueError, match='dropout is 0.3, and kind "ia3" has no LoRA to drop inputs of: expected 0'):
        settings(dropout=0.3, kind="ia3", options=KINDS["ia3"])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda bench, task: settings(options={"rank": 2}), "its settings are the table `lora`"),
        (lambda bench, task: settings(kind="ia4"), "ia3"),
        (lambda bench, task: settings(users_at_once=0), "users_at_once is 0"),
        (lambda bench, task: settings(dropout=1.0), "dropout 1.0"),
        (lambda bench, task: shared_start(Adapters.cat([task, task])), "a shared start is one adapter, got 2"),
    ],
)
def test_what_cannot_work_is_refused(bench, task, make, message):
    with pytest.raises(ValueError, match=message):
        make(bench, task)
