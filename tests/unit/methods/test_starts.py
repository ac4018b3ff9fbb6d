"""PiSSA and LoRA-GA: the papers' formulas, and a start that is the plain base."""

from dataclasses import replace

import pytest
import torch

from tailorlm.adapters.lora import LoraSpace
from tailorlm.backbone.loss import row_losses
from tailorlm.backbone.rows import collate
from tailorlm.methods.batches import all_items
from tailorlm.methods.starts import lora_ga, pissa, weight_gradients


@pytest.fixture(scope="module")
def space(bench):
    return LoraSpace(bench.backbone.sites(["q_proj", "v_proj"]), 4)


@pytest.fixture(scope="module")
def rows(bench, people):
    return all_items(bench, [replace(people[0], history=people[0].history[:7])]).rows


def weight_of(bench, site):
    return bench.backbone.model.get_submodule(site.path).weight


def test_pissa_is_the_best_approximation_of_each_weight(bench, space):
    adapter = pissa(bench.backbone, space)
    for group in space.groups:
        a, b = adapter.tensors[f"{group.name}.A"][0], adapter.tensors[f"{group.name}.B"][0]
        for layer, site in enumerate(group.sites):
            weight = weight_of(bench, site)
            u, s, v = torch.linalg.svd(weight)
            assert torch.allclose(b[layer] @ a[layer], u[:, :4] * s[:4] @ v[:4], atol=1e-5)
            assert torch.allclose(a[layer] @ a[layer].T, torch.diag(s[:4]), atol=1e-5)
            assert torch.allclose(b[layer].T @ b[layer], torch.diag(s[:4]), atol=1e-5)


@pytest.mark.parametrize("rows_at_once", [3, 64])
def test_gradients_of_weights_are_autograds(bench, space, rows, rows_at_once):
    found = weight_gradients(bench.backbone, space, rows, rows_at_once)
    weights = {site.path: weight_of(bench, site).requires_grad_() for site in space.sites}
    losses = row_losses(bench.backbone, collate(rows, bench.backbone.pad_id, [-1] * len(rows)))
    wanted = torch.autograd.grad(losses.mean(), list(weights.values()))
    bench.backbone.model.requires_grad_(False)
    for path, gradient in zip(weights, wanted, strict=True):
        assert gradient.abs().max() > 1e-4
        assert torch.allclose(found[path], gradient, atol=1e-6)


def test_lora_ga_is_the_papers_formula(bench, space, rows):
    adapters = lora_ga(bench.backbone, space, [rows, rows[:2]], scaling=3.0, rows_at_once=4, gamma=16.0)
    gradients = weight_gradients(bench.backbone, space, rows, 4)
    for group in space.groups:
        a, b = adapters.tensors[f"{group.name}.A"], adapters.tensors[f"{group.name}.B"]
        size = group.d_out**0.25 / 4
        for layer, site in enumerate(group.sites):
            u, _, v = torch.linalg.svd(gradients[site.path])
            assert torch.allclose((a[0, layer] @ v[:4].T).abs(), size * torch.eye(4), atol=1e-3)
            assert torch.allclose((u[:, 4:8].T @ b[0, layer]).abs(), 3 * size * torch.eye(4), atol=1e-3)
        assert not torch.allclose(a[0], a[1], atol=1e-3)


def test_a_user_without_rows_begins_as_an_ordinary_lora(bench, space, rows):
    adapters = lora_ga(bench.backbone, space, [[], rows[:2]], 1.0, 4)
    for name, tensor in adapters.tensors.items():
        assert tensor[0].any() == name.endswith(".A") and tensor[1].any()


def test_the_model_is_as_it_was_and_a_small_site_is_refused(bench, space, rows):
    weight_gradients(bench.backbone, space, rows[:1], 4)
    assert all("forward" not in vars(bench.backbone.model.get_submodule(site.path)) for site in space.sites)
    with pytest.raises(ValueError, match="too small for rank 12"):
        lora_ga(bench.backbone, LoraSpace(space.sites, 12), [rows], 1.0, 4)
