"""Sharers: who shares, how their LoRAs and gates are trained side by side, what a resumed run may reuse."""

from dataclasses import replace

import pytest
import torch

from tailorlm import recipe
from tailorlm.adapters import ia3
from tailorlm.adapters.batch import Adapters
from tailorlm.backbone.inject import Injector
from tailorlm.backbone.loss import row_losses
from tailorlm.backbone.rows import collate
from tailorlm.data.records import Interaction, User
from tailorlm.methods.gates import GatedInjector, GateSettings, plan_steps, train_gates
from tailorlm.methods.lora import LoraSettings
from tailorlm.methods.own_items import ItemSettings
from tailorlm.methods.sharers import (
    BOTH,
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
from tailorlm.methods.source import Start, shared_start
from tailorlm.profiles.cache import CachedEncoder
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


def test_a_cache_forgets_the_items_that_chose_sharers(bench, few, tmp_path):
    cached = CachedEncoder(bench.encoder, tmp_path)
    history_vectors(replace(bench, encoder=cached), few)
    assert len(cached) and sum(cached.forget_user(user.id) for user in few) and len(cached) == 0


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


def test_both_versions_and_dropout_reach_sharers_and_gates(bench, few, task, tmp_path):
    plain = train(bench, task, few[:2], tmp_path / "plain")
    both, dropped = replace(SMALL, items=BOTH), replace(SMALL, dropout=0.2)
    assert not same(train(bench, task, few[:2], tmp_path / "both", both).adapters, plain.adapters, atol=1e-4)
    assert not same(train(bench, task, few[:2], tmp_path / "dropped", dropped).adapters, plain.adapters, atol=1e-4)
    assert not vars(bench.backbone.model.get_submodule(task.space.sites[0].path)).get("forward")  # the base again
    settings = replace(both, dropout=0.2, clusters=6)
    together = train(bench, task, few, tmp_path / "all", settings)
    alone = train(bench, task, few[2:3], tmp_path / "one", settings)  # masks are each sharer's own
    assert same(alone.adapters, together.adapters[together.ids.index(few[2].id)], atol=1e-5)
    rows = own_rows(bench, few[:1], BOTH).rows
    assert [row.id for row in rows if row.id.endswith("+")] == [f"{row.id}+" for row in rows[: len(rows) // 2]]
    gates = [
        train_gates(bench, few[:1], together.adapters[0], LORA.rank, how, 0, 2, tmp_path / name, False)
        for name, how in (("gates", GATES), ("gates_both", replace(GATES, items=BOTH)))
    ]
    assert any(not torch.allclose(gate, gates[1][name], atol=1e-4) for name, gate in gates[0].items())


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
        with pytest.raises(ValueError, match="other users, items, settings or weights"):
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
        task_lora(shared_start(narrow), space)
    with pytest.raises(ValueError, match="one adapter for everybody"):
        task_lora(Start(space, lambda owners: random_lora(bench, LORA, 0, users=2)), space)


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
    """With gates at zero the model is that of task + half of own; without an own part gates change nothing."""
    own = random_lora(bench, LORA, 5, size=0.3)
    whole = carried(task, own)
    ids = torch.randint(5, 200, (1, 9), generator=torch.Generator().manual_seed(0))
    zero, some = random_gates(bench, 1, 0.0), random_gates(bench, 1, 1.0)
    half = gated(bench, whole, zero, ids)
    assert torch.allclose(half, plain(bench, carried(task, own.scaled(0.5)), ids), atol=1e-5)
    assert not torch.allclose(gated(bench, whole, some, ids), half, atol=1e-3)
    off = carried(task, own.scaled(0.0))
    assert torch.allclose(gated(bench, off, some, ids), plain(bench, task, ids), atol=1e-5)


def test_a_gate_is_a_sigmoid_of_the_input(bench):
    """One layer by hand."""
    own = random_lora(bench, LORA, 5, size=0.3)
    gates = random_gates(bench, 1, 1.0)
    site = own.space.groups[0].sites[0]
    linear = bench.backbone.model.get_submodule(site.path)
    x = torch.randn(1, 5, site.d_in, generator=torch.Generator().manual_seed(0))
    a, b = (own.tensors[f"{site.module}.{part}"][0, 0] for part in "AB")
    scale = (x @ gates[site.module][0, 0]).sigmoid().unsqueeze(-1)
    expected = linear(x) + (x * scale) @ a.T @ b.T
    injector = GatedInjector(bench.backbone.model, own.space, LORA.rank)
    injector.set(own.tensors, gates, torch.tensor([0]))
    assert torch.allclose(linear(x), expected, atol=1e-5)
    injector.clear()
    assert "forward" not in vars(linear)


def test_gates_are_per_row_and_the_base_has_none(bench, task):
    whole = carried(task, random_lora(bench, LORA, 5, users=2, size=0.3))
    gates = random_gates(bench, 2, 1.0)
    ids = torch.arange(20, 28).expand(3, -1)
    rows = gated(bench, whole, gates, ids, [1, -1, 0])
    for row, user in ((0, 1), (2, 0)):
        own = {name: gate[user : user + 1] for name, gate in gates.items()}
        assert torch.allclose(rows[row], gated(bench, whole[user], own, ids[:1])[0], atol=1e-5)
    with torch.no_grad():
        assert torch.allclose(rows[1], bench.backbone.model(ids[:1]).logits[0], atol=1e-5)
    assert (rows[0] - rows[2]).abs().max() > 1e-3


def random_gates(bench, users, size):
    chance = torch.Generator().manual_seed(4)
    groups = LORA.space(bench.backbone).groups
    return {g.name: size * torch.randn(users, len(g.sites), g.d_in, generator=chance) for g in groups}


def gated(bench, whole, gates, ids, index=(0,)):
    injector = GatedInjector(bench.backbone.model, whole.space, LORA.rank)
    injector.set(whole.tensors, gates, torch.tensor(index))
    try:
        with torch.no_grad():
            return bench.backbone.model(ids).logits
    finally:
        injector.clear()


def plain(bench, adapters, ids):
    with torch.no_grad(), Injector(bench.backbone.model, adapters.space)(adapters, torch.tensor([0])):
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


def test_gates_are_of_loras_only(bench, few, tmp_path):
    space = ia3.space(ia3.Settings(), bench.backbone.shape)
    others = Adapters(space, {name: torch.ones(1, *shape) for name, shape in space.shapes().items()})
    with pytest.raises(ValueError, match="gates are of LoRAs, got ia3"):
        train_gates(bench, few[:1], others, 2, GATES, 0, 2, tmp_path, False)


def test_wrong_settings_are_named():
    with pytest.raises(ValueError, match="clusters is 0"):
        SharerSettings(clusters=0)
    with pytest.raises(ValueError, match="steps is 0"):
        GateSettings(steps=0)
    with pytest.raises(ValueError, match="batch 0"):
        GateSettings(batch=0)
    with pytest.raises(ValueError, match="epochs is 0"):
        SharerSettings(epochs=0)
    with pytest.raises(ValueError, match="dropout is 1"):
        SharerSettings(dropout=1.0)
    for settings in (SharerSettings, GateSettings):
        with pytest.raises(ValueError, match='items.scope is "task", and a sharer has one LoRA'):
            settings(items=ItemSettings(scope="task"))


def test_published_settings_are_the_papers():
    assert PUBLISHED["lamp_3"].batch == 2 and PUBLISHED["lamp_3"].train.learning_rate == 1e-5
    assert {name: how.epochs for name, how in PUBLISHED.items()} == {
        "lamp_1": 1, "lamp_2m": 3, "lamp_3": 2, "lamp_4": 3, "lamp_5": 2, "lamp_7": 2,
    }  # fmt: skip
    assert all((how.items, how.dropout) == (BOTH, 0.05) for how in PUBLISHED.values())  # appendix B, for all baselines
    assert PUBLISHED["lamp_1"].lora.targets == ("q_proj", "k_proj", "v_proj", "o_proj")


def test_a_fresh_lora_is_the_same_for_everybody_and_scaled_once(bench):
    space = LORA.space(bench.backbone)
    raw = fresh(space, 3, 0, torch.device("cpu"))
    assert torch.equal(raw["q_proj.A"][0], raw["q_proj.A"][2]) and raw["q_proj.A"].any()
    made = effective(space, {name: torch.ones_like(t) for name, t in raw.items()}, 5.0)
    assert (made.tensors["q_proj.B"] == 5).all() and (made.tensors["q_proj.A"] == 1).all()


def test_a_recipe_that_names_a_part_keeps_the_rest():
    said = {"lora": {"rank": 2}, "train": {"clip": 0.5}}
    made = recipe.settings(SharerSettings, said)
    assert made.lora == LoraSettings(targets=LORA.targets, rank=2)
    assert (made.train.learning_rate, made.train.clip) == (2e-5, 0.5)
