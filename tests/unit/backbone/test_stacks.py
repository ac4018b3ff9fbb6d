"""A task LoRA under a user's own adapter: the same numbers as the user's adapter on a base with the LoRA merged."""

import copy

import pytest
import torch

from tailorlm import plugins
from tailorlm.adapters.batch import Adapters
from tailorlm.adapters.lora import LoraSpace
from tailorlm.adapters.stack import Stack, stack, stacked
from tailorlm.backbone.generate import generate
from tailorlm.backbone.inject import Injector
from tailorlm.backbone.prompt import Prompt

KINDS = plugins.names("adapters")


def random_adapters(space, users, seed, size=0.3):
    g = torch.Generator().manual_seed(seed)
    start = space.start(g)
    return Adapters(space, {k: t + size * torch.randn(users, *t.shape, generator=g) for k, t in start.items()})


def merged(model, lora):
    """A copy of the model with one LoRA in its weights."""
    model = copy.deepcopy(model)
    for group in lora.space.groups:
        for layer, site in enumerate(group.sites):
            a, b = (lora.tensors[f"{group.name}.{part}"][0, layer] for part in "AB")
            model.get_submodule(site.path).weight.data += b @ a
    return model


class Stacked:
    """A task LoRA at some linear layers and three users' adapters of a kind."""

    def __init__(self, backbone, kind, targets=("k_proj", "v_proj", "up_proj", "down_proj")):
        plugin = plugins.find("adapters", kind)
        self.backbone = backbone
        self.task = random_adapters(LoraSpace(backbone.sites(targets), 2), 1, 1)
        self.own = random_adapters(plugin.space(plugin.Settings(), backbone.shape), 3, 2)
        self.both = stacked(self.task, self.own)
        self.injector = Injector(backbone.model, self.both.space)

    def logits(self, ids, index, adapters=None):
        with torch.no_grad(), self.injector(adapters or self.both, torch.tensor(index)):
            return self.backbone.model(input_ids=ids).logits


@pytest.fixture(params=KINDS)
def pair(request, make):
    return Stacked(make["backbone"](), request.param)


def largest(difference):
    return difference.abs().max().item()


def test_a_stack_is_the_users_adapter_on_a_merged_base(pair, ids):
    ours = pair.logits(ids, [2, -1, 0])
    base = merged(pair.backbone.model, pair.task)
    with torch.no_grad(), Injector(base, pair.own.space)(pair.own, torch.tensor([2, -1, 0])):
        theirs = base(input_ids=ids).logits
    with torch.no_grad():
        plain = pair.backbone.model(input_ids=ids).logits
    for row in (0, 2):
        assert largest(ours[row] - theirs[row]) < 1e-4
        assert largest(ours[row] - plain[row]) > 0.1
    assert largest(ours[1] - plain[1]) < 1e-5  # the base, without the task LoRA
    assert largest(theirs[1] - plain[1]) > 0.1
    assert largest(pair.logits(ids, [0, -1, 2])[0] - theirs[0]) > 0.1


def test_a_merged_base_without_the_users_adapter_is_another(pair, ids):
    ours = pair.logits(ids, [0, 1, 2])
    base = merged(pair.backbone.model, pair.task)
    with torch.no_grad():
        assert all(largest(a - b) > 0.1 for a, b in zip(ours, base(input_ids=ids).logits, strict=True))


def test_texts_are_those_of_the_merged_base(pair):
    prompts = [Prompt("tell me"), Prompt("a much longer question, of many words"), Prompt("so?")]
    ours = generate(pair.backbone, pair.injector, prompts, pair.both, [0, 1, 2], 6)
    backbone = copy.copy(pair.backbone)
    backbone.model = merged(pair.backbone.model, pair.task)
    theirs = generate(backbone, Injector(backbone.model, pair.own.space), prompts, pair.own, [0, 1, 2], 6)
    assert ours == theirs


def test_gradients_reach_the_users_adapter_alone(pair, ids):
    own = {k: t.clone().requires_grad_() for k, t in pair.own.tensors.items()}
    both = stacked(pair.task, Adapters(pair.own.space, own))
    with pair.injector(both, torch.tensor([0, 2, 2])):
        pair.backbone.model(input_ids=ids, use_cache=False).logits.pow(2).mean().backward()
    for t in own.values():
        assert t.grad[0].abs().max() > 0 and t.grad[2].abs().max() > 0 and t.grad[1].abs().max() == 0
    assert not any(t.requires_grad for t in pair.task.tensors.values())


def test_the_shared_one_is_not_copied(make):
    pair = Stacked(make["backbone"](), "ia3")
    assert pair.both.tensors["under/k_proj.A"].data_ptr() == pair.task.tensors["k_proj.A"].data_ptr()
    assert len(pair.both) == 3 and pair.both.space.neutral_start and pair.both.space.engines == frozenset()


def test_lora_over_lora_at_the_same_sites_is_one_lora(make, ids):
    backbone = make["backbone"]()
    space = LoraSpace(backbone.sites(["q_proj", "v_proj"]), 2)
    one, two = random_adapters(space, 1, 1), random_adapters(space, 3, 2)
    both = stacked(one, two)
    assert both.space == LoraSpace(space.sites, 4) == stack(space, space)
    other = LoraSpace(backbone.sites(["q_proj"]), 2)
    assert isinstance(stack(space, other), Stack)


def test_a_start_and_a_strength_are_those_of_both(make, ids):
    pair = Stacked(make["backbone"](), "ia3")
    with torch.no_grad():
        plain = pair.backbone.model(input_ids=ids).logits
    start = {k: t[None] for k, t in pair.both.space.start(torch.Generator()).items()}
    assert largest(pair.logits(ids, [0, 0, 0], Adapters(pair.both.space, start)) - plain) == 0
    assert largest(pair.logits(ids, [0, 1, 2], pair.both.scaled(0.0)) - plain) < 1e-5
    with pytest.raises(ValueError, match="no half of them"):
        Stacked(make["backbone"](), "prompt_tuning").both.scaled(0.5)


def test_what_cannot_be_stacked_is_refused(make):
    backbone = make["backbone"]()
    prompt, prefix = (Stacked(backbone, kind).own for kind in ("prompt_tuning", "prefix_tuning"))
    with pytest.raises(ValueError, match="both have virtual tokens"):
        stacked(prompt, prefix)
    stack_of_two = Stacked(backbone, "ia3").both.space
    for of_file in (stack_of_two.file_shapes, lambda: stack_of_two.to_file({}), lambda: stack_of_two.of_file({})):
        with pytest.raises(ValueError, match="PEFT has no form for ia3 over lora"):
            of_file()
    with pytest.raises(ValueError, match="2 and 3 adapters"):
        stacked(prompt[:2], Stacked(backbone, "ia3").own)
