"""Norms of B's gradient by step and layer: those that an observer sees, the mean over users who have the step."""

from dataclasses import replace

import pytest
import torch

from tailorlm.adapters.batch import Adapters
from tailorlm.adapters.lora import LoraSpace
from tailorlm.adapters.sites import Site
from tailorlm.methods import bridge, oppu, prisp
from tailorlm.methods.gradient_norms import GradientNorms, Looking, mean
from tailorlm.methods.lora import LoraSettings
from tailorlm.methods.own_items import ItemSettings
from tailorlm.methods.source import shared_start
from tailorlm.training.many import ManySettings

LORA = LoraSettings(rank=4, alpha=8.0)
GIVEN = {"lora": LORA, "items": ItemSettings(items=5), "batch": 1, "rates": {}, "train": ManySettings(), "epochs": 1}


@pytest.fixture(scope="module")
def bench(bench):
    return replace(bench, max_tokens=128)


@pytest.fixture(scope="module")
def few(people):
    """Three users with 1, 3 and 5 short items, and one without any."""
    own = [[item for item in user.history if item.task in ("headline", "tweet")] for user in people]
    pairs = zip(people, (1, 3, 5, 0), strict=False)
    return [replace(user, history=tuple(own[n][:count])) for n, (user, count) in enumerate(pairs)]


@pytest.fixture(scope="module")
def anchor(bench):
    space, chance = LORA.space(bench.backbone), torch.Generator().manual_seed(5)
    tensors = {n: 0.3 * torch.randn(1, *s, generator=chance) for n, s in space.shapes().items()}
    return shared_start(Adapters(space, tensors))


def made(bench, anchor, method="prisp", **given):
    if method == "oppu":
        return oppu.Source(bench, oppu.Settings(**GIVEN, gradient_norms=True, **given), anchor)
    return prisp.Source(bench, prisp.Settings(**GIVEN, gradient_norms=True, **given), anchor)


@pytest.mark.parametrize("method", ["prisp", "oppu"])
@pytest.mark.parametrize("at_once", [64, 2])
def test_they_are_those_of_each_user_alone(bench, few, anchor, method, at_once):
    roster = made(bench, anchor, method, users_at_once=at_once).enrol(few)
    seen = []
    for user in few[:3]:
        alone = []

        def look(step, grads, to=alone):
            norms = bridge.layer_norms(grads)
            to.append((norms["q_proj.B"][0].square() + norms["v_proj.B"][0].square()).sqrt().tolist())

        own = made(bench, anchor, method).enrol([user], observe=look)
        assert own.gradients.users == [1] * len(user.history) and len(alone) == len(user.history)
        seen.append(alone)
    assert roster.gradients.users == [3, 2, 2, 1, 1]  # who has no step left does not count
    found = mean([roster.gradients])
    for step in range(5):
        there = [own[step] for own in seen if step < len(own)]
        for layer in range(2):
            wanted = sum(own[layer] for own in there) / len(there)
            assert wanted > 0 and found[step][layer] == pytest.approx(wanted, rel=1e-3)


def test_nobody_looks_unless_asked_and_looking_changes_nothing(bench, few, anchor):
    plain = prisp.Source(bench, prisp.Settings(**GIVEN), anchor).enrol(few)
    asked = made(bench, anchor).enrol(few)
    assert plain.gradients is None and asked.gradients is not None
    assert all(torch.equal(t, asked.adapters.tensors[n]) for n, t in plain.adapters.tensors.items())


def test_layers_are_in_order_where_places_differ():
    """A group on every layer, another on the last alone, as hybrid models have them."""
    sites = (*(Site(f"{n}.q", "q_proj", n, 3, 3) for n in (4, 1, 7)), Site("7.v", "v_proj", 7, 3, 2))
    looking = Looking(LoraSpace(sites, 1))
    grads = {"q_proj.B": torch.zeros(2, 3, 3, 1), "v_proj.B": torch.zeros(2, 1, 2, 1), "q_proj.C": torch.ones(2, 3, 1)}
    grads["q_proj.B"][0, :, 0, 0] = torch.tensor([1.0, 2.0, 3.0])  # groups hold their sites by layer
    grads["v_proj.B"][0, 0, 0, 0] = 4.0
    looking(0, grads)
    assert looking.found() == GradientNorms([[1.0, 2.0, 5.0]], [1])


def test_means_of_parts_count_users_and_steps():
    parts = [GradientNorms([[2.0], [6.0]], [1, 1]), GradientNorms([[4.0]], [2]), GradientNorms([[0.0]], [0])]
    assert mean(parts) == [[2.0], [6.0]] and mean([]) == [] and mean(parts[2:]) == []


def test_what_has_no_such_gradient_is_refused():
    with pytest.raises(ValueError, match='train_parts "C" does not train it'):
        prisp.Settings(gradient_norms=True, train_parts="C")
    with pytest.raises(ValueError, match='kind is "prompt_tuning"'):
        oppu.Settings(gradient_norms=True, kind="prompt_tuning", options={"tokens": 2})
