"""The last MLP runs where labels are; losses and gradients are those of the whole model."""

import pytest
import torch

from tailorlm.adapters.batch import Adapters
from tailorlm.backbone.last_mlp import last_mlp_at
from tailorlm.backbone.loss import row_losses
from tailorlm.backbone.rows import Row, collate

FAMILIES = ["Qwen2", "Qwen3", "Llama", "Mistral", "Gemma", "Gemma2"]


def batch_of(setup):
    g = torch.Generator().manual_seed(0)
    ids = [torch.randint(0, 256, (length,), generator=g).tolist() for length in (6, 9, 12)]
    rows = [Row(str(n), one, 2 + n) for n, one in enumerate(ids)]
    return collate(rows, setup.backbone.pad_id, [0, 1, 2])


def taken(setup, batch, recomputes):
    """Losses and gradients of every adapter, and how many tokens each MLP saw in the forward pass."""
    setup.backbone.checkpointing = recomputes  # layers that are recomputed run whole
    seen = []
    mlps = [layer.mlp.down_proj for layer in setup.backbone.model.model.layers]
    hooks = [mlp.register_forward_hook(lambda _, x, y: seen.append(y[..., 0].numel())) for mlp in mlps]
    tensors = {name: t.clone().requires_grad_() for name, t in setup.adapters.tensors.items()}
    with setup.injector(Adapters(setup.space, tensors), batch.index):
        losses = row_losses(setup.backbone, batch)
        tokens = seen[:3]
        losses.mean().backward()
    for hook in hooks:
        hook.remove()
    return losses.detach(), {name: t.grad for name, t in tensors.items()}, tokens


@pytest.mark.parametrize("name", FAMILIES)
def test_losses_and_gradients_are_the_whole_models(make, name):
    setup = make["setup"](name, targets=("q_proj", "v_proj"))
    batch = batch_of(setup)
    whole, all_grads, every = taken(setup, batch, True)
    few, grads, tokens = taken(setup, batch, False)
    assert every == [36, 36, 36] and tokens == [36, 36, int((batch.labels != -100).sum())]
    torch.testing.assert_close(few, whole)
    for key, gradient in grads.items():
        assert gradient.abs().amax(tuple(range(1, gradient.ndim))).min() > 0
        torch.testing.assert_close(gradient, all_grads[key])


def test_rows_stay_rows_for_adapters_inside_it(make):
    setup = make["setup"]("Qwen2", targets=("q_proj", "down_proj"))
    batch = batch_of(setup)
    whole, all_grads, _ = taken(setup, batch, True)
    same, grads, tokens = taken(setup, batch, False)
    assert tokens == [36, 36, 36]
    torch.testing.assert_close(same, whole)
    torch.testing.assert_close(grads, all_grads)


def test_inputs_of_another_shape_pass_and_the_module_comes_back(make):
    setup = make["setup"]("Qwen2")
    mlp = setup.backbone.model.model.layers[-1].mlp
    x, places = torch.randn(3, 5, 32), torch.zeros(3, 4, dtype=torch.bool)
    with last_mlp_at(setup.backbone.model, places):
        assert "forward" in vars(mlp) and torch.equal(mlp(x), type(mlp).forward(mlp, x))
        assert not mlp(x[:, :4]).any()
    assert "forward" not in vars(mlp)


def test_a_mixture_that_says_more_than_its_output_runs_whole(make):
    setup = make["setup"]("Qwen2")
    mlp = setup.backbone.model.model.layers[-1].mlp
    mlp.__class__ = type("Mixture", (type(mlp),), {"forward": lambda self, x: (x + 1.0, "scores")})
    x, places = torch.randn(3, 4, 32), torch.zeros(3, 4, dtype=torch.bool)
    with last_mlp_at(setup.backbone.model, places):
        assert torch.equal(mlp(x)[0], x + 1.0)


def test_a_model_without_such_a_layer_is_left_alone():
    model = torch.nn.Linear(3, 3)
    with last_mlp_at(model, torch.zeros(1, 1, dtype=torch.bool)):
        assert "forward" not in vars(model)
