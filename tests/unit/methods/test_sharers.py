"""Sharers: who shares, how their LoRAs and gates are trained side by side, what a resumed run may reuse."""

from dataclasses import replace

import pytest
import torch

from tailorlm.adapters.batch import Adapters
from tailorlm.adapters.lora import LoraSpace
from tailorlm.backbone.inject import Injector
from tailorlm.backbone.loss import row_losses
from tailorlm.backbone.rows import collate
from tailorlm.data.records import Interaction, User
from tailorlm.methods.gates import GatedLoraSpace, GateSettings, plan_steps, train_gates
from tailorlm.methods.lora import LoraSettings
from tailorlm.methods.sharers import (
    PUBLISHED,
    SharerSettings,
    carried,
    carried_space,
    choose,
    effective,
    fresh,
    history_vectors,
    merged,
    task_lora,
    train_sharers,
)  # fmt: skip
from tailorlm.methods.side_by_side import digest, own_rows
from tailorlm.methods.source import shared_start
from tailorlm.training.many import ManySettings

LORA = LoraSettings(targets=("q_proj", "k_proj", "v_proj", "o_proj"), rank=4)
SMALL = SharerSettings(clusters=3, lora=LORA, epochs=1, batch=8, train=ManySettings(learning_rate=5e-3), at_once=2)
GATES = GateSettings(steps=3, batch=4, train=ManySettings(learning_rate=0.5))


@pytest.fixture(scope="module")
def few(people):
    """The people with 11 to 16 items each."""
    return [replace(user, history=user.history[: 11 + n]) for n, user in enumerate(people)]


@pytest.fixture(scope="module")
def task(bench):
    return random_lora(bench, LORA, seed=1)


def random_lora(bench, lora, seed, users=1, size=0.1):
    space = lora.space(bench.backbone)
    chance = torch.Generator().manual_seed(seed)
    return Adapters(space, {n: size * torch.randn(users, *s, generator=chance) for n, s in space.shapes().items()})


def train(bench, task, users, directory, settings=SMALL, resume=False, seed=0):
    space = carried_space(task, settings.lora.space(bench.backbone))
    injector = Injector(bench.backbone.model, space)
    return train_sharers(bench, injector, task, users, settings, seed, directory, resume)


def same(one, two, **tolerance):
    return all(torch.allclose(t, two.tensors[name], **tolerance) for name, t in one.tensors.items())


def person(name, items):
    return User(name, tuple(Interaction(f"in {name} {n}", "out") for n in range(items)))


def test_the_most_active_of_each_cluster_shares_and_order_changes_nothing():
    users = [person("d", 12), person("b", 20), person("a", 20), person("c", 15), person("e", 10), person("f", 30)]
    one, two = torch.tensor([1.0, 0.0]), torch.tensor([0.0, 1.0])
    vectors = torch.stack([one, one, one, two, two, two * 0.99])
    how = SharerSettings(clusters=2)
    assert [users[n].id for n in choose(users, vectors, how, 0)] == ["a", "f"]
    back = list(reversed(users))
    assert [back[n].id for n in choose(back, vectors.flip(0), how, 0)] == ["a", "f"]


def test_users_with_few_items_never_share():
    users, vectors = [person("a", 10), person("b", 11)], torch.eye(2)
    assert choose(users, vectors, SharerSettings(), 0) == [1]
    with pytest.raises(ValueError, match="none of 1 training users has more than 10 items"):
        choose(users[:1], vectors[:1], SharerSettings(), 0)


def test_equal_histories_are_one_cluster():
    users = [person("a", 12), person("b", 13)]
    assert choose(users, torch.ones(2, 4), SharerSettings(), 0) == [1]


def test_a_history_is_the_mean_of_its_items(bench, few):
    empty = replace(few[0], history=())
    vectors = history_vectors(bench, [few[0], empty, few[1]], at_once=2)
    texts = [f"{item.input}\n{item.output}".strip() for item in few[0].history]
    mean = bench.encoder(texts).mean(0)
    assert torch.allclose(vectors[0], mean / mean.norm(), atol=1e-6)
    assert not vectors[1].any()
    assert torch.allclose(vectors[2], history_vectors(bench, [few[1]])[0], atol=1e-6)
    with pytest.raises(ValueError, match="no encoder"):
        history_vectors(replace(bench, encoder=None), few)


def test_a_sharer_in_company_equals_a_sharer_alone(bench, few, task, tmp_path):
    settings = replace(SMALL, clusters=6)
    together = train(bench, task, few, tmp_path / "all", settings)
    assert len(together.ids) == 6
    alone = train(bench, task, few[2:3], tmp_path / "one", settings)
    place = together.ids.index(few[2].id)
    assert same(alone.adapters, together.adapters[place], atol=1e-5)
    assert not same(together.adapters[0], together.adapters[1], atol=1e-4)


def test_sharers_learn_their_own_items_over_the_task_lora(bench, few, task, tmp_path):
    settings = replace(SMALL, clusters=6, epochs=2)
    sharers = train(bench, task, few, tmp_path, settings)
    whole = carried(task, sharers.adapters)
    by_id = {user.id: user for user in few}
    before = carried(task, Adapters(sharers.adapters.space, {n: 0 * t for n, t in sharers.adapters.tensors.items()}))
    for place, id in enumerate(sharers.ids):
        assert loss(bench, by_id[id], whole[place]) < loss(bench, by_id[id], before[0]) - 0.02


def loss(bench, user, adapter):
    rows = own_rows(bench, [user]).rows
    index = torch.zeros(len(rows), dtype=torch.long)
    with torch.no_grad(), Injector(bench.backbone.model, adapter.space)(adapter, index):
        return row_losses(bench.backbone, collate(rows, bench.backbone.pad_id, index)).mean()


def test_a_resumed_run_reuses_chunks_and_refuses_others(bench, few, task, tmp_path):
    first = train(bench, task, few, tmp_path)
    with pytest.raises(ValueError, match="has a run already"):
        train(bench, task, few, tmp_path)
    (tmp_path / "sharers-00002.pt").unlink()  # as if stopped in the second chunk
    again = train(bench, task, few, tmp_path, resume=True)
    assert again.ids == first.ids
    assert same(again.adapters, first.adapters, rtol=0, atol=0)
    for other in (dict(settings=replace(SMALL, epochs=2)), dict(seed=7), dict(task=None)):
        arguments = {"bench": bench, "task": task, "users": few, "directory": tmp_path, "resume": True} | other
        with pytest.raises(ValueError, match="other users, settings or weights"):
            train(**arguments)


def test_digests_differ_where_contents_do(task):
    moved = Adapters(task.space, {name: t + 1e-3 for name, t in task.tensors.items()})
    assert digest([task, 1]) == digest([task, 1])
    assert len({digest([task, 1]), digest([moved, 1]), digest([task, 2]), digest([[task], 1]), digest([None, 1])}) == 5


def test_the_task_lora_must_fit(bench, task):
    space = LORA.space(bench.backbone)
    assert task_lora(None, space) is None
    assert task_lora(shared_start(task), space) is task
    narrow = random_lora(bench, LoraSettings(targets=("q_proj",)), 0)
    with pytest.raises(ValueError, match="k_proj, o_proj, q_proj, v_proj"):
        task_lora(lambda users: narrow, space)
    with pytest.raises(ValueError, match="got 2"):
        task_lora(lambda users: random_lora(bench, LORA, 0, users=2), space)


def test_merging_is_a_weighted_sum_of_each_matrix(bench):
    lent = random_lora(bench, LORA, 3, users=3)
    layers = {name.rpartition(".")[0]: t.shape[1] for name, t in lent.tensors.items()}
    weights = {group: torch.rand(2, count, 3) for group, count in layers.items()}
    made = merged(lent, weights)
    for name, t in lent.tensors.items():
        w = weights[name.rpartition(".")[0]]
        expected = sum(w[1, :, p, None, None] * t[p] for p in range(3))
        assert torch.allclose(made.tensors[name][1], expected, atol=1e-6)
    single = {group: torch.nn.functional.one_hot(torch.full((1, n), 2), 3).float() for group, n in layers.items()}
    assert same(merged(lent, single), lent[2], rtol=0, atol=0)


def test_gates_scale_the_own_part_alone(bench, task):
    """With sigmoid at one, zero and a half the model is that of task + own, task, and task + half of own."""
    own = random_lora(bench, LORA, 5, size=0.3)
    whole = carried(task, own)
    gated = GatedLoraSpace(whole.space, LORA.rank)
    ids = torch.randint(5, 200, (1, 9), generator=torch.Generator().manual_seed(0))
    zero = gates_of(gated, 0.0)
    half = logits(bench, gated, Adapters(gated, {**whole.tensors, **zero}), ids)
    assert torch.allclose(half, logits(bench, whole.space, carried(task, own.scaled(0.5)), ids), atol=1e-5)
    by_hand = {
        n: torch.randn(t.shape, generator=torch.Generator().manual_seed(n_)) for n_, (n, t) in enumerate(zero.items())
    }
    moved = logits(bench, gated, Adapters(gated, {**whole.tensors, **by_hand}), ids)
    assert not torch.allclose(moved, half, atol=1e-3)
    off = Adapters(gated, {**carried(task, own.scaled(0.0)).tensors, **by_hand})
    assert torch.allclose(logits(bench, gated, off, ids), logits(bench, task.space, task, ids), atol=1e-5)


def test_gates_are_per_row_and_the_base_has_none(bench, task):
    own = random_lora(bench, LORA, 5, users=2, size=0.3)
    whole = carried(task, own)
    space = GatedLoraSpace(whole.space, LORA.rank)
    gates = {
        n: torch.randn(2, *s, generator=torch.Generator().manual_seed(4))
        for n, s in space.shapes().items()
        if "gate" in n
    }
    both = Adapters(space, {**whole.tensors, **gates})
    ids = torch.arange(20, 28).expand(3, -1)
    rows = logits(bench, space, both, ids, [1, -1, 0])
    for row, user in ((0, 1), (2, 0)):
        assert torch.allclose(rows[row], logits(bench, space, both[user], ids[:1])[0], atol=1e-5)
    with torch.no_grad():
        assert torch.allclose(rows[1], bench.backbone.model(ids[:1]).logits[0], atol=1e-5)
    assert (rows[0] - rows[2]).abs().max() > 1e-3
    with pytest.raises(ValueError, match="without dropout"):
        Injector(bench.backbone.model, space).set(both, torch.tensor([0]), 0.1)


def gates_of(space, value):
    return {n: torch.full((1, *s), value) for n, s in space.shapes().items() if n.endswith(".gate")}


def logits(bench, space, adapters, ids, index=(0,)):
    with torch.no_grad(), Injector(bench.backbone.model, space)(adapters, torch.tensor(index)):
        return bench.backbone.model(ids).logits


def test_training_gates_moves_gates_only_and_each_its_own(bench, few, task, tmp_path):
    own = random_lora(bench, LORA, 6, users=3, size=0.2)
    whole = carried(task, own)
    before = {name: t.clone() for name, t in whole.tensors.items()}
    gates = train_gates(bench, few[:3], whole, LORA.rank, GATES, 0, 2, tmp_path / "all", False)
    assert all(torch.equal(t, before[name]) for name, t in whole.tensors.items())
    assert all(g.shape == (3, 2, 32) and g.any(dim=-1).all() for g in gates.values())
    alone = train_gates(bench, few[1:2], whole[1], LORA.rank, GATES, 0, 2, tmp_path / "one", False)
    for name, gate in gates.items():
        assert torch.allclose(alone[name][0], gate[1], atol=1e-4)
        assert not torch.allclose(gate[0], gate[1], atol=1e-2)


def test_gate_steps_are_as_many_as_said(few, bench):
    own = [[0, 1, 2, 3, 4], [5], []]
    plan = plan_steps(few[:3], own, GateSettings(steps=7, batch=2), 0)
    assert plan.lengths == (7, 7, 0)
    assert plan.steps[0] == plan_steps(few[:1], own[:1], GateSettings(steps=7, batch=2), 0).steps[0]


def test_a_gated_lora_starts_as_half_a_fresh_lora(bench):
    space = GatedLoraSpace(LoraSpace(bench.backbone.sites(["q_proj"]), 4), 2)
    start = {name: t.unsqueeze(0) for name, t in space.start(torch.Generator().manual_seed(0)).items()}
    adapters = Adapters(space, start)
    assert not adapters.tensors["q_proj.B"].any() and not adapters.tensors["q_proj.gate"].any()
    assert (space.kind, space.virtual_tokens, space.neutral_start, space.engines) == (
        "gated_lora",
        0,
        True,
        frozenset(),
    )
    doubled = Adapters(space, {n: t + 1 for n, t in start.items()}).scaled(0.5)
    assert (doubled.tensors["q_proj.B"] == 0.5).all() and (doubled.tensors["q_proj.gate"] == 1).all()


def test_gates_are_of_loras_only(bench, few, tmp_path):
    space = GatedLoraSpace(LoraSpace(bench.backbone.sites(["q_proj"]), 4), 2)
    gated = Adapters(space, {name: torch.zeros(1, *s) for name, s in space.shapes().items()})
    with pytest.raises(ValueError, match="gates are of LoRAs"):
        train_gates(bench, few[:1], gated, 2, GATES, 0, 2, tmp_path, False)


def test_wrong_settings_are_named():
    with pytest.raises(ValueError, match="clusters is 0"):
        SharerSettings(clusters=0)
    with pytest.raises(ValueError, match="steps is 0"):
        GateSettings(steps=0)


def test_published_settings_are_the_papers():
    assert PUBLISHED["lamp_3"].batch == 2 and PUBLISHED["lamp_3"].train.learning_rate == 1e-5
    assert {name: how.epochs for name, how in PUBLISHED.items()} == {
        "lamp_1": 1, "lamp_2m": 3, "lamp_3": 2, "lamp_4": 3, "lamp_5": 2, "lamp_7": 2,
    }  # fmt: skip
    assert PUBLISHED["lamp_1"].lora.targets == ("q_proj", "k_proj", "v_proj", "o_proj")


def test_a_fresh_lora_is_the_same_for_everybody_and_scaled_once(bench):
    space = LORA.space(bench.backbone)
    raw = fresh(space, 3, 0, torch.device("cpu"))
    assert torch.equal(raw["q_proj.A"][0], raw["q_proj.A"][2]) and raw["q_proj.A"].any()
    made = effective(space, {name: torch.ones_like(t) for name, t in raw.items()}, 5.0)
    assert (made.tensors["q_proj.B"] == 5).all() and (made.tensors["q_proj.A"] == 1).all()
