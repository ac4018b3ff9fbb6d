"""P2P makes every kind of adapter: it begins as the kind does, learns, and gives each row its own user's."""

from dataclasses import replace

import pytest
import torch

from tailorlm.backbone.loss import row_losses
from tailorlm.backbone.rows import collate
from tailorlm.methods import p2p
from tailorlm.methods.batches import BatchSettings
from tailorlm.methods.objectives import HypernetObjective, LossSettings
from tailorlm.methods.source import shared_start
from tailorlm.training.curve import read_curve
from tailorlm.training.settings import TrainSettings

PLAIN = LossSettings(smoothing=0.0, neftune=0.0, l2=1e-3, dropout=0.0)
TRAIN = TrainSettings(steps=6, learning_rate=2e-2, warmup=0.0, save_every=0, line_seconds=1e9)
KINDS = {
    "lora": {}, "ia3": {}, "prompt_tuning": {"tokens": 4, "std": 0.5}, "prefix_tuning": {"tokens": 3, "std": 0.5},
}  # fmt: skip


def settings(kind, pool="facets"):
    head = "additive" if pool == "facets" else "L"
    net = p2p.NetSettings(pool=pool, head=head, latent=16, head_in=24, dropout=0.0, components=4)
    cuts = p2p.CutSettings(count=2, minimum=2)
    return p2p.Settings(
        kind=kind, options=KINDS[kind], net=net, cuts=cuts, loss=PLAIN, batch=BatchSettings(users=8), train=TRAIN
    )


@pytest.fixture(scope="module", params=list(KINDS))
def kind(request):
    return request.param


@pytest.fixture(scope="module", params=["facets", "attention"])
def trained(request, kind, bench, people, tmp_path_factory):
    source, folder = p2p.Source(bench, settings(kind, request.param)), tmp_path_factory.mktemp(kind)
    source.prepare(people[:5], folder, held=people[5:])
    return source, folder


def test_a_training_run_lowers_the_loss_of_every_kind(trained):
    _, folder = trained
    curve = read_curve(folder / "curve.jsonl")
    assert len(curve) == TRAIN.steps and all(line["grad_norm"] > 0 for line in curve)
    assert read_curve(folder / "evaluations.jsonl")[-1]["held_loss"] > 0


def test_users_get_their_own_alone_and_in_company(trained, people, bench):
    source, _ = trained
    roster = source.enrol(people)
    assert roster.adapters.space.kind == source.settings.kind
    for n in (0, 3):
        alone = source.enrol([people[n]]).adapters
        for name, tensor in alone.tensors.items():
            assert torch.allclose(tensor[0], roster.adapters.tensors[name][n], atol=1e-5)
    row = bench.backbone.tokenizer("Write a headline: rain", return_tensors="pt")["input_ids"].expand(2, -1)
    with torch.no_grad(), source.injector(roster.adapters, torch.tensor([0, 3])):
        logits = bench.backbone.model(row).logits
    assert (logits[0] - logits[1]).abs().max() > 1e-4


def test_it_begins_at_the_kinds_own_fresh_adapter(kind, bench, people):
    source = p2p.Source(bench, settings(kind))
    told = source.examples(people)
    source.facets = source.slots(told.profiles)
    source.hypernet = source.build(source.table(told.profiles)).eval()
    adapters = source.enrol(people).adapters
    peft = source.settings.peft()
    fresh = peft.effective(source.space, peft.fresh(bench.backbone, 1, TRAIN.seed))
    for name, tensor in adapters.tensors.items():
        assert torch.allclose(tensor, tensor[:1].expand_as(tensor), atol=1e-6), "nobody is personal yet"
        if kind != "lora":  # LoRA's A is drawn by the network; its B is zero as PEFT's
            assert torch.allclose(tensor, fresh.tensors[name].expand_as(tensor), atol=1e-6)
        elif name.endswith(".B"):
            assert not tensor.any()


def test_a_batch_trains_each_row_with_its_own_users_adapter(kind, bench, people):
    source = p2p.Source(bench, settings(kind))
    told = source.examples(people)
    source.facets = source.slots(told.profiles)
    table = source.table(told.profiles)
    network = source.build(table)
    torch.manual_seed(0)
    for parameter in network.parameters():
        with torch.no_grad():
            parameter.add_(torch.randn_like(parameter) * 0.05)
    objective = HypernetObjective(bench.backbone, source.injector, network, table, replace(PLAIN, l2=0.0))
    picked = [told.owners.index(n) for n in range(4)]
    rows = [told.rows.rows[i] for i in picked]
    batch = collate(rows, bench.backbone.pad_id, [told.owners[i] for i in picked])
    losses, _ = objective.loss(batch)
    losses.sum().backward()
    assert all(parameter.grad is None or parameter.grad.isfinite().all() for parameter in network.parameters())
    for n, i in enumerate(picked):
        adapter = network(*table.gather(torch.tensor([told.owners[i]])))
        with source.injector(adapter, torch.tensor([0])):
            own = row_losses(bench.backbone, collate([rows[n]], bench.backbone.pad_id, [0]))
        assert torch.allclose(losses[n], own[0], atol=1e-4)
    wrong, _ = objective.loss(replace(batch, index=batch.index.flip(0)))
    source.injector.clear()
    assert (wrong - losses).abs().max() > 1e-3


def test_rows_leave_room_for_virtual_tokens(bench, people):
    whole = replace(bench, max_tokens=bench.backbone.max_tokens)

    def longest(tokens):
        source = p2p.Source(whole, replace(settings("prompt_tuning"), options={"tokens": tokens}))
        return max(len(row.ids) for row in source.examples(people[:2]).rows.rows)

    tokens = bench.backbone.max_tokens - longest(1) + 5
    assert longest(tokens) <= bench.backbone.max_tokens - tokens < longest(1)


def test_what_does_not_go_together_is_refused(bench, people, tmp_path):
    with pytest.raises(ValueError, match='options .* with kind "lora"'):
        p2p.Settings(options={"rank": 2})
    with pytest.raises(ValueError, match="no such setting"):
        p2p.Settings(kind="ia3", options={"rank": 2})
    shared = p2p.Source(bench, settings("lora"))
    shared.prepare(people[:2], tmp_path / "run")
    start = shared_start(shared.enrol(people[:1]).adapters)
    with pytest.raises(ValueError, match='kind is "ia3": it begins at its own fresh adapter, set start = "base"'):
        p2p.Source(bench, settings("ia3"), start)
