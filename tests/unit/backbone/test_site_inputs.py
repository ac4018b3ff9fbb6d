"""Inputs at sites: the very tensors that the layers read, under what is injected, and nothing left behind."""

from types import SimpleNamespace

import pytest
import torch

from tailorlm.adapters.batch import Adapters
from tailorlm.adapters.lora import LoraSpace
from tailorlm.adapters.sites import Site
from tailorlm.backbone.inject import Injector
from tailorlm.backbone.inputs import site_inputs
from tailorlm.backbone.model import Backbone
from tailorlm.backbone.rows import Row, collate


@pytest.fixture
def base():
    """A tiny model whose o_proj reads another input than its q, k and v."""
    from transformers import Qwen2Config, Qwen2ForCausalLM

    torch.manual_seed(0)
    config = Qwen2Config(
        vocab_size=40, hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, max_position_embeddings=64, initializer_range=0.15,
    )  # fmt: skip
    return Backbone(Qwen2ForCausalLM(config), SimpleNamespace(pad_token_id=0, eos_token_id=1), "tiny")


@pytest.fixture
def batch(base):
    return collate([Row("a", [5, 6, 7, 8], 2), Row("b", [9, 10], 1)], base.pad_id, [0, 0])


def test_the_inputs_are_those_that_give_the_layers_outputs(base, batch):
    sites = base.sites(["q_proj", "o_proj"])
    given = site_inputs(base, batch, sites, lambda x: x)
    seen = {}
    layers = {site.path: base.model.get_submodule(site.path) for site in sites}
    hooks = [
        layer.register_forward_hook(lambda _, x, y, path=path: seen.__setitem__(path, y))
        for path, layer in layers.items()
    ]
    base.model(input_ids=batch.input_ids, attention_mask=batch.attention_mask)
    for hook in hooks:
        hook.remove()
    for site in sites:
        assert given[site.path].shape == (2, 4, site.d_in)
        assert torch.equal(layers[site.path](given[site.path]), seen[site.path])


def test_sites_that_share_an_input_are_read_once_and_hooks_go(base, batch):
    calls = []
    sites = base.sites(["q_proj", "k_proj", "v_proj"])
    found = site_inputs(base, batch, sites, lambda x: calls.append(1) or x.sum(1))
    assert len(found) == len(sites)
    assert len(calls) == len({site.layer for site in sites})
    assert not any(base.model.get_submodule(site.path)._forward_pre_hooks for site in sites)


def test_what_is_injected_takes_part(base, batch):
    sites = base.sites(["q_proj"])
    space = LoraSpace(sites, 2)
    torch.manual_seed(0)
    strong = Adapters(space, {name: torch.randn(1, *shape) for name, shape in space.shapes().items()})
    plain = site_inputs(base, batch, sites, lambda x: x)
    with Injector(base.model, space)(strong, batch.index):
        moved = site_inputs(base, batch, sites, lambda x: x)
    first, last = min(sites, key=lambda s: s.layer), max(sites, key=lambda s: s.layer)
    assert torch.equal(plain[first.path], moved[first.path])
    assert not torch.allclose(plain[last.path], moved[last.path], atol=1e-3)


def test_a_layer_that_does_not_run_is_named(base, batch):
    head = Site("lm_head", "lm_head", 0, 1, 1)
    with pytest.raises(ValueError, match="lm_head"):
        site_inputs(base, batch, [head], lambda x: x)
