"""Per-Pcs: pieces chosen by the user's own history alone, merged exactly, by sharers who are training users."""

from dataclasses import replace

import pytest
import torch

from tailorlm.adapters.batch import Adapters
from tailorlm.adapters.lora import joined
from tailorlm.adapters.peft_files import load_peft, save_peft
from tailorlm.backbone.inject import Injector
from tailorlm.backbone.rows import IGNORE, collate
from tailorlm.methods import per_pcs
from tailorlm.methods.gates import GateSettings
from tailorlm.methods.lora import LoraSettings
from tailorlm.methods.pieces import Pieces, best, standardised, user_weights
from tailorlm.methods.sharers import Sharers, SharerSettings
from tailorlm.methods.side_by_side import own_rows
from tailorlm.methods.source import shared_start
from tailorlm.training.many import ManySettings

LORA = LoraSettings(targets=("q_proj", "k_proj", "v_proj", "o_proj"), rank=4)
SETTINGS = per_pcs.Settings(
    sharers=SharerSettings(clusters=4, lora=LORA, epochs=1, batch=8, train=ManySettings(learning_rate=5e-3), at_once=3),
    gates=GateSettings(steps=3, batch=4, train=ManySettings(learning_rate=1e-2)),
    top=2, batch=4, rows_at_once=16,
)  # fmt: skip


@pytest.fixture(scope="module")
def task(bench):
    return random_lora(bench, 1)


def random_lora(bench, seed, users=1, size=0.1):
    space = LORA.space(bench.backbone)
    chance = torch.Generator().manual_seed(seed)
    return Adapters(space, {n: size * torch.randn(users, *s, generator=chance) for n, s in space.shapes().items()})


@pytest.fixture(scope="module")
def split(people):
    """Four users who train and share, two who are new."""
    short = [replace(user, history=user.history[: 11 + n]) for n, user in enumerate(people)]
    return short[:4], short[4:]


@pytest.fixture(scope="module")
def trained(bench, split, task, tmp_path_factory):
    source = per_pcs.Source(bench, SETTINGS, shared_start(task))
    source.prepare(split[0], tmp_path_factory.mktemp("run"))
    return source


def lending(bench, task, sharers, settings=SETTINGS):
    """A source with so many made-up sharers, random gates."""
    source = per_pcs.Source(bench, settings, task and shared_start(task))
    source.sharers = Sharers(tuple(f"s{n}" for n in range(sharers)), torch.eye(sharers), random_lora(bench, 9, sharers))
    chance = torch.Generator().manual_seed(2)
    gates = {g.name: torch.randn(sharers, len(g.sites), g.d_in, generator=chance) for g in source.own.groups}
    source.pieces = Pieces.of(source.own.groups, gates)
    return source


def equal(one, two, **tolerance):
    assert set(one.tensors) == set(two.tensors)
    return all(torch.allclose(t, two.tensors[name], **tolerance) for name, t in one.tensors.items())


@pytest.mark.parametrize("with_task", [True, False])
def test_one_sharer_and_top_1_is_that_sharer_exactly(bench, split, task, with_task):
    task = task if with_task else None
    source = lending(bench, task, 1, replace(SETTINGS, top=1))
    lent = source.sharers.adapters
    expected = joined(task, lent) if with_task else lent
    made = source.enrol(split[1]).adapters
    assert all(equal(made[n], expected, rtol=0, atol=0) for n in range(2))


def test_top_1_of_many_is_a_sharers_piece_at_every_site(bench, split, task):
    source = lending(bench, task, 5, replace(SETTINGS, top=1, batch=100))
    weights = source.weights(split[1])
    made = source.enrol(split[1]).adapters
    lent = source.sharers.adapters
    for group in source.own.groups:
        assert ((weights[group.name] == 0) | (weights[group.name] == 1)).all()
        picked = weights[group.name].argmax(2)
        for user in range(2):
            for layer in range(2):
                piece = lent.tensors[f"{group.name}.A"][picked[user, layer], layer]
                assert torch.equal(made.tensors[f"{group.name}.A"][user, layer, 4:], piece)
    assert len({int(p) for group in source.own.groups for p in weights[group.name].argmax(2).flatten()}) > 1


def test_a_sharer_gets_others_pieces_and_never_the_own(trained, split):
    """As where who is asked trains, too (data.protocol = "time")."""
    users = split[0]
    own = trained.sharers.own([user.id for user in users])
    assert own.any()
    named = trained.weights([replace(user, id=f"other {user.id}") for user in users])
    assert any(w.movedim(2, 1)[own].any() for w in named.values())  # without the ids own pieces are among the best
    for weights in trained.weights(users).values():
        assert not weights.movedim(2, 1)[own].any()
        assert torch.allclose(weights.sum(2), torch.ones(len(users), 2), atol=1e-6)


def test_who_is_the_only_sharer_is_refused(bench, split, task):
    made = lending(bench, task, 1)
    with pytest.raises(ValueError, match="user 's0' is the only sharer"):
        made.enrol([replace(split[1][0], id="s0")])


def test_sharers_are_training_users_and_held_users_are_not(bench, split, task, tmp_path):
    source = per_pcs.Source(bench, SETTINGS, shared_start(task))
    source.prepare(split[0][:2], tmp_path, held=split[0][2:])
    source.enrol(split[1])
    assert set(source.sharers.ids) <= {user.id for user in split[0][:2]}


def test_a_user_alone_equals_the_user_in_company(trained, split):
    users = split[1] + split[0][:1]
    together = trained.enrol(users)
    weights = trained.weights(users)
    for n, user in enumerate(users):
        alone = trained.enrol([user])
        assert alone.place == {(user.id, None): 0}
        assert equal(alone.adapters[0], together.adapters[n], atol=1e-5)
        for name, own in trained.weights([user]).items():
            assert torch.allclose(own[0], weights[name][n], atol=1e-5)
    back = trained.weights(users[::-1])
    assert all(torch.allclose(w.flip(0), back[name], atol=1e-5) for name, w in weights.items())
    assert any((w[0] - w[1]).abs().max() > 1e-4 for w in weights.values())


def test_weights_follow_the_own_history_alone(trained, split):
    one, two = split[1]
    other = replace(two, history=two.history[::-1][:5])
    changed = trained.weights([one, other])
    before = trained.weights([one, two])
    for name, w in before.items():
        assert torch.allclose(w[0], changed[name][0], atol=1e-5)
    assert any((w[1] - changed[name][1]).abs().max() > 1e-4 for name, w in before.items())


def test_weights_are_of_the_best_and_sum_to_one(trained, split):
    for weights in trained.weights(split[1]).values():
        assert torch.allclose(weights.sum(2), torch.ones(2, 2), atol=1e-6)
        assert (weights >= 0).all()
    one_batch = replace(SETTINGS, batch=1000)
    source = per_pcs.Source(trained.bench, one_batch, shared_start(trained.task))
    source.sharers, source.pieces = trained.sharers, trained.pieces
    for weights in source.weights(split[1]).values():
        assert ((weights > 0).sum(2) == 2).all()


def test_scores_are_those_of_the_formula(bench, split, task):
    """Written out row by row, token by token, from the layers' own inputs."""
    source = lending(bench, task, 3, replace(SETTINGS, top=3))
    user = split[1][0]
    rows = own_rows(bench, [user]).rows
    weights = source.weights([user])
    group = source.own.groups[0]
    expected = []
    for start in range(0, len(rows), SETTINGS.batch):
        scores = [token_scores(bench, task, source.pieces, group, row) for row in rows[start : start + SETTINGS.batch]]
        expected.append(torch.cat(scores).mean(0).softmax(-1))
    assert torch.allclose(weights[group.name][0], torch.stack(expected).mean(0), atol=1e-5)


def token_scores(bench, task, pieces, group, row):
    """(tokens, L, P) of one row's answer tokens."""
    batch = collate([row], bench.backbone.pad_id, [0])
    seen = {}
    hooks = [
        bench.backbone.model.get_submodule(site.path).register_forward_hook(
            lambda _, x, y, path=site.path: seen.__setitem__(path, x[0])
        )
        for site in group.sites
    ]
    with torch.no_grad(), Injector(bench.backbone.model, task.space)(task, torch.tensor([0])):
        bench.backbone.model(input_ids=batch.input_ids, attention_mask=batch.attention_mask)
    for hook in hooks:
        hook.remove()
    answer = batch.labels[0] != IGNORE
    x = torch.stack([seen[site.path][0][answer] for site in group.sites], 1)
    x = (x - x.mean(-1, keepdim=True)) / x.std(-1, unbiased=False, keepdim=True)
    return torch.einsum("tli,pli->tlp", x, pieces.gates[group.name]) / group.d_in**0.5


def test_the_task_lora_takes_part_in_scoring(bench, split, task):
    strong = Adapters(task.space, {name: 5 * t for name, t in task.tensors.items()})
    with_one, with_other = (lending(bench, one, 4).weights(split[1]) for one in (task, strong))
    assert any((w - with_other[name]).abs().max() > 1e-3 for name, w in with_one.items())


def test_the_size_of_a_gate_does_not_matter_and_a_zero_gate_scores_zero():
    gate = torch.randn(6, generator=torch.Generator().manual_seed(0))
    assert torch.allclose(standardised(gate), standardised(gate * 1e-4), atol=1e-3)
    assert not standardised(torch.zeros(6)).any()


def test_best_takes_all_where_there_are_fewer():
    scores = torch.tensor([[1.0, 3.0, 2.0]])
    assert torch.allclose(best(scores, 5), scores.softmax(-1))
    assert best(scores, 2)[0, 0] == 0
    assert torch.allclose(best(scores, 2)[0, 1:], torch.tensor([3.0, 2.0]).softmax(-1))


def test_a_user_without_items_keeps_the_task_lora_alone(bench, trained, split, task):
    empty = replace(split[1][0], history=())
    made = trained.enrol([empty, split[1][1]]).adapters
    ids = torch.arange(20, 28).view(1, -1)
    with torch.no_grad():
        with Injector(bench.backbone.model, made.space)(made[0], torch.tensor([0])):
            ours = bench.backbone.model(ids).logits
        with Injector(bench.backbone.model, task.space)(task, torch.tensor([0])):
            alone = bench.backbone.model(ids).logits
    assert torch.allclose(ours, alone, atol=1e-6)
    assert not trained.enrol([empty]).adapters.tensors["q_proj.B"][..., 4:].any()


def test_export_and_reload_give_the_same_adapter(trained, split, tmp_path):
    made = trained.enrol(split[1]).adapters
    save_peft(made, [tmp_path / "0", tmp_path / "1"], "tiny", None, {})
    back = load_peft(tmp_path / "1", made.space.sites)
    assert back.space.rank == 8
    assert equal(back, made[1], rtol=0, atol=0)


def test_requests_get_their_own_users_adapter(trained, split, queries):
    roster = trained.enrol(split[1])
    own = [query for query in queries if query.user_id in {user.id for user in split[1]}]
    adapters, index = trained.adapters(own[::-1], roster)
    assert adapters is roster.adapters and index.tolist() == [1, 0]
    with pytest.raises(ValueError, match="has no adapter"):
        trained.adapters(queries[:1], roster)


def test_the_same_seed_gives_the_same_numbers_and_resume_goes_on(bench, split, task, tmp_path):
    first = per_pcs.Source(bench, SETTINGS, shared_start(task))
    first.prepare(split[0], tmp_path / "a")
    second = per_pcs.Source(bench, SETTINGS, shared_start(task))
    second.prepare(split[0], tmp_path / "b")
    resumed = per_pcs.Source(bench, SETTINGS, shared_start(task))
    next((tmp_path / "a").glob("gates-*")).unlink()
    resumed.prepare(split[0], tmp_path / "a", resume=True)
    one = first.enrol(split[1]).adapters
    assert equal(one, second.enrol(split[1]).adapters, rtol=0, atol=0)
    assert equal(one, resumed.enrol(split[1]).adapters, rtol=0, atol=0)


def test_before_prepare_there_is_nothing_to_merge(bench, split):
    source = per_pcs.Source(bench, SETTINGS)
    with pytest.raises(RuntimeError, match="no sharers"):
        source.enrol(split[1])
    with pytest.raises(RuntimeError, match="no gates"):
        source.weights(split[1])


def test_nobody_is_enrolled_without_rows(bench, split, task):
    source = lending(bench, task, 2)
    empty = replace(split[1][0], history=())
    found = user_weights(bench.backbone, source.pieces, [], [[]], 1, 4, 8, lambda rows: None)
    assert all(w.shape == (1, 2, 2) and not w.any() for w in found.values())
    assert len(source.enrol([empty]).adapters) == 1


def test_settings_are_the_papers_and_wrong_ones_are_named():
    assert {name: how.top for name, how in per_pcs.PUBLISHED.items()} == {
        "lamp_1": 1, "lamp_2m": 3, "lamp_3": 1, "lamp_4": 1, "lamp_5": 1, "lamp_7": 2,
    }  # fmt: skip
    three = per_pcs.PUBLISHED["lamp_3"]
    assert (three.batch, three.gates.batch, three.gates.steps, three.sharers.batch) == (6, 4, 100, 2)
    with pytest.raises(ValueError, match="top is 0"):
        per_pcs.Settings(top=0)
    assert per_pcs.NEEDS.other_users and not per_pcs.NEEDS.user_training
