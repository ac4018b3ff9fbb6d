"""The injector's manners on a shared model: it leaves no trace, refuses what is wrong, and never nests."""

import pytest
import torch
import transformers

from tailorlm.adapters.batch import Adapters, BadAdapters
from tailorlm.adapters.lora import LoraSpace
from tailorlm.adapters.sites import Site
from tailorlm.backbone.inject import Injector

ROWS = torch.tensor([0, 1, 2])


def traces(model):
    return [
        name for name, m in model.named_modules() if "forward" in vars(m) or any("tailorlm" in key for key in vars(m))
    ]


def hooks(model):
    return sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in model.modules())


def test_an_idle_injector_leaves_no_trace(setup, ids):
    model = setup.backbone.model
    assert traces(model) == [] and hooks(model) == 0
    with torch.no_grad():
        before = model(input_ids=ids).logits
    setup.injector.set(setup.adapters, ROWS)
    assert len(traces(model)) == len(setup.space.sites)
    setup.injector.clear()
    assert traces(model) == []
    with torch.no_grad():
        assert torch.equal(model(input_ids=ids).logits, before)


def test_a_forward_that_somebody_else_put_there_comes_back(setup, ids):
    layer = setup.backbone.model.model.layers[0].self_attn.q_proj
    expected = setup.logits(ids, setup.adapters, [0, 1, 2])
    calls = []
    theirs = type(layer).forward.__get__(layer)
    layer.forward = lambda x: calls.append(1) or theirs(x)
    own = layer.forward
    assert torch.equal(setup.logits(ids, setup.adapters, [0, 1, 2]), expected)
    assert calls == [1] and layer.forward is own
    del layer.forward


def test_only_the_adapters_in_use_are_checked_and_named(setup):
    setup.adapters.tensors["q_proj.A"][1, 0, 0, 0] = float("nan")
    setup.injector.set(setup.adapters, torch.tensor([2, -1, 0]))
    setup.injector.clear()
    with pytest.raises(BadAdapters, match="adapter 1 "):
        setup.injector.set(setup.adapters, torch.tensor([2, 1, 2]))


def test_a_failing_block_leaves_no_trace(setup, ids):
    with pytest.raises(ZeroDivisionError), setup.injector(setup.adapters, ROWS):
        _ = 1 / 0
    assert traces(setup.backbone.model) == []
    setup.injector.set(setup.adapters, ROWS)
    setup.injector.clear()


def test_nothing_of_a_call_reaches_the_next(setup, ids):
    first = setup.logits(ids, setup.adapters, [0, 1, 2])
    setup.logits(ids, setup.adapters, [2, 2, 2])
    setup.logits(ids[:1], setup.adapters, [1])
    assert torch.equal(setup.logits(ids, setup.adapters, [0, 1, 2]), first)


def test_set_replaces_what_was_set(setup, ids):
    expected = setup.logits(ids, setup.adapters, [1, 1, 1])
    setup.injector.set(setup.adapters, ROWS)
    setup.injector.set(setup.adapters, torch.tensor([1, 1, 1]))
    with torch.no_grad():
        assert torch.equal(setup.backbone.model(input_ids=ids).logits, expected)
    setup.injector.clear()


def test_nested_use_is_an_error(setup):
    other = Injector(setup.backbone.model, setup.space)
    with setup.injector(setup.adapters, ROWS):
        for nested in (setup.injector.clear, lambda: setup.injector.set(setup.adapters, ROWS)):
            with pytest.raises(RuntimeError, match="enclosing"):
                nested()
        with pytest.raises(RuntimeError, match="enclosing"), setup.injector(None, ROWS):
            pass
        with pytest.raises(RuntimeError, match="another injector"):
            other.set(setup.adapters, ROWS)
        assert len(traces(setup.backbone.model)) == len(setup.space.sites)  # the outer one still stands
    assert traces(setup.backbone.model) == []
    other.set(setup.adapters, ROWS)
    other.clear()


def test_a_batch_of_another_size_is_an_error(setup, ids):
    with pytest.raises(ValueError, match="set for 3 rows"):
        setup.logits(ids[:2], setup.adapters, [0, 1, 2])


@pytest.mark.parametrize(
    "index", [torch.tensor([0, 1, 3]), torch.tensor([-2, 0, 0]), torch.tensor([[0]]), torch.tensor([0.0])]
)
def test_a_wrong_index_is_refused(setup, index):
    with pytest.raises(ValueError, match="index"):
        setup.injector.set(setup.adapters, index)


def test_rows_of_adapters_need_adapters(setup):
    with pytest.raises(ValueError, match="valid are -1"):
        setup.injector.set(None, ROWS)


def test_adapters_of_another_space_are_refused(setup):
    space = LoraSpace(setup.space.sites[:3], 4)
    other = Adapters(space, {k: torch.zeros(1, *s) for k, s in space.shapes().items()})
    with pytest.raises(ValueError, match="another space"):
        setup.injector.set(other, torch.tensor([0]))


def test_nan_is_refused_before_it_reaches_the_model(setup):
    setup.adapters.tensors["q_proj.A"][1, 0, 0, 0] = float("nan")
    with pytest.raises(BadAdapters, match="q_proj.A of adapter 1"):
        setup.injector.set(setup.adapters, ROWS)
    assert traces(setup.backbone.model) == []


def test_sites_that_the_model_lacks_are_refused(setup):
    model = setup.backbone.model
    path = "model.layers.0.self_attn.q_proj"
    for site, reason in (
        (Site("model.layers.9.q_proj", "q_proj", 9, 32, 32), "NoneType"),
        (Site("model.layers.0.mlp", "mlp", 0, 32, 32), "MLP"),
        (Site(path, "q_proj", 0, 64, 32), "must be 64x32"),
    ):
        with pytest.raises(ValueError, match=reason):
            Injector(model, LoraSpace((site,), 2))


def test_sites_that_read_one_tensor_share_the_first_product(setup):
    shared = {tuple(sorted(s.module for s in group)) for group in setup.injector._inputs}
    assert shared == {("k_proj", "q_proj", "v_proj"), ("o_proj",), ("gate_proj", "up_proj"), ("down_proj",)}


def test_half_precision_models_take_float32_adapters(make, ids):
    setup = make["setup"]()
    exact = setup.logits(ids, setup.adapters, [0, 1, -1])
    setup.backbone.model.to(torch.bfloat16)
    half = setup.logits(ids, setup.adapters, [0, 1, -1])
    assert half.dtype == torch.bfloat16
    assert (half.float() - exact).abs().mean() < 0.1 * exact.abs().mean()


def test_autocast_is_followed(setup, ids):
    exact = setup.logits(ids, setup.adapters, [0, 1, -1])
    with torch.autocast("cpu", torch.bfloat16):
        half = setup.logits(ids, setup.adapters, [0, 1, -1])
    assert (half.float() - exact).abs().mean() < 0.1 * exact.abs().mean()


def test_dropout_acts_only_when_asked_and_repeats_with_the_seed(setup, ids):
    def run(dropout, seed):
        torch.manual_seed(seed)
        with torch.no_grad(), setup.injector(setup.adapters, ROWS, dropout=dropout):
            return setup.backbone.model(input_ids=ids).logits

    assert torch.equal(run(0.0, 0), run(0.0, 1))
    assert torch.equal(run(0.3, 0), run(0.3, 0))
    assert not torch.equal(run(0.3, 0), run(0.3, 1))


def test_conv1d_models_are_refused_with_the_modules_named():
    from tailorlm.backbone.model import Backbone

    config = transformers.GPT2Config(n_layer=2, n_head=2, n_embd=8, vocab_size=20, n_positions=8)
    backbone = Backbone(transformers.GPT2LMHeadModel(config), None, "tiny-gpt2")
    with pytest.raises(ValueError, match=r"transformer\.h\.0\.attn\.c_attn \(Conv1D\)"):
        backbone.sites(["c_attn"])
