"""The sources without a profile: none, MT-LoRA against PEFT's LoRA, OPPU against users trained alone."""

from dataclasses import replace

import peft
import pytest
import torch

from tailorlm.backbone.loss import row_losses
from tailorlm.methods import mt_lora, none, oppu
from tailorlm.methods.batches import BatchSettings, all_items, batches
from tailorlm.methods.objectives import LossSettings, SharedLora, SharedObjective
from tailorlm.methods.source import shared_start
from tailorlm.training.many import ManySettings
from tailorlm.training.settings import TrainSettings

PLAIN = LossSettings(smoothing=0.0, neftune=0.0, l2=0.0, dropout=0.0)
TRAIN = TrainSettings(
    steps=5, learning_rate=1e-2, warmup=0.0, decay="constant", clip=0.0, save_every=0, line_seconds=1e9
)


def test_none_is_the_base_for_everybody(bench, people, queries):
    source = none.Source(bench, none.Settings())
    adapters, index = source.adapters(queries, source.enrol(people))
    assert adapters is None
    assert index.tolist() == [-1] * len(people)


def test_mt_lora_equals_a_peft_lora_trained_on_the_same_batches(bench, people, fresh_base, tmp_path):
    settings = mt_lora.Settings(loss=PLAIN, batch=BatchSettings(users=8), train=TRAIN)
    source = mt_lora.Source(bench, settings)
    start = [value.detach().clone() for value in source.shared.values]
    source.prepare(people, tmp_path / "run")
    ours = source.enrol(people).adapters

    theirs = fresh_base
    config = peft.LoraConfig(r=8, lora_alpha=16, use_rslora=True, target_modules=["q_proj", "v_proj"], lora_dropout=0.0)
    model = peft.get_peft_model(theirs.model, config)
    named = dict(zip(source.shared.names, start, strict=True))
    _copy(model, source.injector.space, named)
    optimiser = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-2, weight_decay=1e-2)
    rows = all_items(bench, people)
    stream = batches(bench, rows, rows.cut, settings.batch, TRAIN.seed)
    for _ in range(TRAIN.steps):
        loss = row_losses(theirs, next(stream)).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    for group in source.injector.space.groups:
        for layer, site in enumerate(group.sites):
            module = model.get_submodule(f"base_model.model.{site.path}")
            a, b = module.lora_A["default"].weight, module.lora_B["default"].weight * 16 / 8**0.5
            assert torch.allclose(ours.tensors[f"{group.name}.A"][0, layer], a, atol=1e-5)
            assert torch.allclose(ours.tensors[f"{group.name}.B"][0, layer], b, atol=1e-4)


def _copy(model, space, named):
    with torch.no_grad():
        for group in space.groups:
            for layer, site in enumerate(group.sites):
                module = model.get_submodule(f"base_model.model.{site.path}")
                module.lora_A["default"].weight.copy_(named[f"{group.name}.A"][layer])
                module.lora_B["default"].weight.copy_(named[f"{group.name}.B"][layer])


@pytest.fixture
def task_lora(bench):
    space = mt_lora.Settings().lora.space(bench.backbone)
    shared = SharedLora(space, 1.0)
    torch.manual_seed(1)
    for value in shared.values:
        torch.nn.init.normal_(value, std=0.1)
    return shared().detach()


def oppu_settings():
    return oppu.Settings(epochs=2, batch=8, train=ManySettings(learning_rate=5e-3))


def test_oppu_users_side_by_side_equal_users_alone(bench, people, task_lora):
    source = oppu.Source(bench, oppu_settings(), shared_start(task_lora))
    few = [replace(user, history=user.history[: 6 + 3 * n]) for n, user in enumerate(people[:3])]
    together = source.enrol(few)
    for n, user in enumerate(few):
        alone = source.enrol([user])
        for name, tensor in alone.adapters.tensors.items():
            assert torch.allclose(tensor[0], together.adapters.tensors[name][n], atol=1e-5)


def test_oppu_keeps_the_task_lora_and_moves_the_users_own(bench, people, task_lora):
    source = oppu.Source(bench, oppu_settings(), shared_start(task_lora))
    roster = source.enrol(people[:2])
    for name, tensor in roster.adapters.tensors.items():
        rank_axis = 2 if name.endswith(".A") else 3
        shared, own = tensor.split([8, 8], rank_axis)
        assert torch.equal(shared, task_lora.tensors[name].expand_as(shared))
        assert not torch.equal(own[0], own[1])


def test_oppu_without_items_is_the_task_lora(bench, people, task_lora):
    source = oppu.Source(bench, oppu_settings(), shared_start(task_lora))
    empty = replace(people[0], history=())
    adapters = source.enrol([empty, people[1]]).adapters
    delta = {n: t for n, t in adapters[0].tensors.items() if n.endswith(".B")}
    assert all(not b[..., 8:].any() for b in delta.values())


def test_a_user_who_is_not_enrolled_is_named(bench, people, queries):
    roster = none.Source(bench, none.Settings()).enrol(people[:1])
    with pytest.raises(ValueError, match=people[1].id):
        roster.index(queries[1:2])


def test_one_shared_objective_starts_at_the_base(bench, people):
    source = mt_lora.Source(bench, mt_lora.Settings(loss=PLAIN))
    rows = all_items(bench, people)
    batch = next(batches(bench, rows, rows.cut, BatchSettings(users=4), 0))
    losses, _ = SharedObjective(bench.backbone, source.injector, source.shared, PLAIN).loss(batch)
    source.injector.clear()
    assert torch.equal(losses, row_losses(bench.backbone, batch))
