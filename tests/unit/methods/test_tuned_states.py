"""Stored states of OPPU and PRISP: each user's own whatever the order, and only where they were trained for."""

from dataclasses import replace

import pytest
import torch

from tailorlm.adapters.batch import Adapters
from tailorlm.data.records import Example
from tailorlm.methods import made_for, oppu, prisp
from tailorlm.methods.lora import LoraSettings
from tailorlm.methods.own_items import ItemSettings
from tailorlm.methods.source import shared_start
from tailorlm.methods.tuned import Tuned
from tailorlm.training import checkpoints
from tailorlm.training.many import ManySettings

LORA = LoraSettings(rank=4, alpha=8.0)
GIVEN = {"lora": LORA, "epochs": 1, "batch": 4, "items": ItemSettings(), "dropout": 0.0,
         "train": ManySettings(learning_rate=2e-2, epsilon=1e-3)}  # fmt: skip
METHODS = [oppu, prisp]


@pytest.fixture(scope="module")
def bench(bench):
    return replace(bench, max_tokens=128)


def history(user, count):
    return tuple(item for item in user.history if item.task in ("headline", "tweet"))[:count]


@pytest.fixture(scope="module")
def few(people):
    return [replace(user, history=history(user, n)) for n, user in zip((2, 3, 4, 2), people, strict=False)]


def start(bench, seed=5):
    space = LORA.space(bench.backbone)
    chance = torch.Generator().manual_seed(seed)
    shapes = space.shapes().items()
    return shared_start(Adapters(space, {n: 0.2 * torch.randn(1, *s, generator=chance) for n, s in shapes}))


def source(method, bench, seed=5, **given):
    return method.Source(bench, method.Settings(**{**GIVEN, **given}), start(bench, seed))


def asked(made, roster, user):
    """The one adapter that a request of the user gets."""
    adapters, index = made.adapters([Example("q", user.id, "tweet", "x", "y")], roster)
    return adapters[index]


def same(one, two):
    return all(torch.equal(t, two.tensors[name]) for name, t in one.tensors.items())


@pytest.mark.parametrize("method", METHODS)
def test_each_user_gets_the_own_state_whatever_the_order(bench, few, method, tmp_path):
    made = source(method, bench)
    roster = made.enrol(few)
    roster.tuned.save(tmp_path / "kept" / "users.pt")
    kept = Tuned.load(tmp_path / "kept" / "users.pt")
    for order in (few, few[::-1], [few[2], few[0], few[3], few[1]]):
        again = made.restored(order, kept)
        for user in few:
            assert same(asked(made, again, user), asked(made, roster, user))
        assert [again.tuned.seen[n] for n in range(4)] == [kept.seen[few.index(user)] for user in order]
    assert not same(asked(made, roster, few[0]), asked(made, roster, few[1]))


@pytest.mark.parametrize("method", METHODS)
def test_users_in_another_order_than_the_roster_each_learn_their_own(bench, few, people, method):
    made = source(method, bench)
    before = made.enrol(few)
    grown = {n: replace(few[n], history=history(people[n], len(few[n].history) + 2)) for n in (0, 2)}
    after = made.more(before, [grown[2], few[1], grown[0]])
    for n in (0, 2):
        alone = made.more(made.enrol([few[n]]), [grown[n]])
        assert after.tuned.seen[n] == alone.tuned.seen[0] and after.tuned.seen[n] > before.tuned.seen[n]
        found, expected = asked(made, after, few[n]), asked(made, alone, few[n])
        assert all(torch.allclose(t, expected.tensors[name], atol=1e-5) for name, t in found.tensors.items())
        assert not same(found, asked(made, before, few[n]))
    for n in (1, 3):
        assert same(asked(made, after, few[n]), asked(made, before, few[n]))
        assert after.tuned.seen[n] == before.tuned.seen[n]
    assert same(made.more(after, [grown[2], grown[0]]).adapters, after.adapters)  # nothing is new any more


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"lora": replace(LORA, alpha=9.0)}, "another adapter: expected lora of rank 4 .*scale 4, found .*scale 4.5"),
        ({"seed": 6}, "another start: expected one for all, [0-9a-f]{32}, found one for all, [0-9a-f]{32}"),
    ],
)
def test_parameters_go_on_only_where_they_were_trained_for(bench, few, method, given, message):
    roster = source(method, bench).enrol(few)
    other = source(method, bench, **given)
    with pytest.raises(ValueError, match=message):
        other.restored(few, roster.tuned)
    with pytest.raises(ValueError, match=message):
        other.more(roster, few)


@pytest.mark.parametrize("method", METHODS)
def test_another_base_is_refused_and_float16_is_not_compared(bench, few, method, fresh_base):
    made = source(method, bench)
    roster = made.enrol(few[:2])
    same_base = source(method, replace(bench, backbone=fresh_base))
    assert same(same_base.restored(few[:2], roster.tuned).adapters, roster.adapters)
    with torch.no_grad():
        fresh_base.model.model.layers[1].self_attn.q_proj.weight.add_(0.5)
    with pytest.raises(ValueError, match="another base: expected [0-9a-f]{32}, found [0-9a-f]{32}"):
        source(method, replace(bench, backbone=fresh_base)).restored(few[:2], roster.tuned)
    fresh_base.model.to(torch.float16)
    assert made_for.base(fresh_base) == made_for.ANY
    made_for.check(roster.tuned.about, {**roster.tuned.about, "base": made_for.ANY})


def test_other_users_are_named_and_other_parts_refused(bench, few, people):
    made = source(prisp, bench)
    tuned = made.enrol(few[:2]).tuned
    with pytest.raises(ValueError, match=f"not kept: {people[4].id}; kept and not named: {few[1].id}"):
        made.restored([few[0], people[4]], tuned)
    with pytest.raises(ValueError, match="2 owners were kept, 2 are named, 1 of them different"):
        made.restored([few[0], few[0]], tuned)
    with pytest.raises(ValueError, match=r"another train_parts: expected B\+C, found B"):
        source(prisp, bench, train_parts="B").restored(few[:2], tuned)
    with pytest.raises(ValueError, match="another adapter: expected lora .*found Settings"):
        options = {"kind": "ia3", "options": {"targets": ["k_proj", "v_proj", "down_proj"]}}
        source(oppu, bench, **options).restored(few[:2], source(oppu, bench).enrol(few[:2]).tuned)


def test_a_file_that_does_not_say_whose_it_is_is_refused(bench, few, tmp_path):
    tuned = source(oppu, bench).enrol(few[:2]).tuned
    checkpoints.write(tmp_path / "old.pt", {"params": dict(tuned.params), "fixed": {}, "seen": [[], []]})
    with pytest.raises(ValueError, match="does not say whose parameters it holds"):
        Tuned.load(tmp_path / "old.pt")
    with pytest.raises(ValueError, match="2 owners have 2 names, 1 of them different"):
        replace(tuned, owners=(tuned.owners[0],) * 2)
    with pytest.raises(ValueError, match="3 owners have tensors"):
        replace(tuned, seen=(*tuned.seen, frozenset()))


@pytest.mark.parametrize("method", METHODS)
def test_a_stopped_training_goes_on_with_the_same_items_and_start_only(bench, few, method, tmp_path):
    made = source(method, bench)
    made.enrol(few[:2], directory=tmp_path)
    item = few[1].history[-1]
    other = replace(few[1], history=(*few[1].history[:-1], replace(item, output=item.output[::-1])))
    for source_, users in ((made, [few[0], other]), (source(method, bench, seed=6), few[:2])):
        with pytest.raises(ValueError, match="other users, items, settings or starting weights"):
            source_.enrol(users, directory=tmp_path)
    assert same(made.enrol(few[:2], directory=tmp_path).adapters, made.enrol(few[:2]).adapters)
    normed = source(method, bench, gradient_norms=True)
    assert made.goes_on and not normed.goes_on
    assert normed.enrol(few[:2], directory=tmp_path / "none").gradients.users and not (tmp_path / "none").exists()
