"""The kind of adapter that a recipe names: found, started, trained and made effective, for many users."""

import pytest
import torch
import transformers

from tailorlm import plugins, recipe
from tailorlm.backbone.inject import Injector
from tailorlm.backbone.model import Backbone
from tailorlm.methods.lora import LoraSettings
from tailorlm.methods.peft import PeftSettings

KINDS = plugins.names("adapters")


@pytest.fixture(scope="module")
def backbone():
    torch.manual_seed(0)
    config = transformers.Qwen2Config(
        vocab_size=50, hidden_size=16, intermediate_size=24, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, initializer_range=0.3, pad_token_id=0, eos_token_id=None, bos_token_id=None,
    )  # fmt: skip
    return Backbone(transformers.Qwen2ForCausalLM(config), None, "tiny")


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_starts_alike_for_all_and_trains_apart(backbone, kind):
    peft = PeftSettings(kind=kind)
    space = peft.space(backbone)
    raw = peft.fresh(backbone, 3, seed=1)
    assert set(raw) == set(space.shapes())
    for name, tensor in raw.items():
        assert tensor.shape == (3, *space.shapes()[name]) and tensor.dtype == torch.float32
        assert torch.equal(tensor[0], tensor[2]) and tensor.is_contiguous()
        assert torch.equal(tensor, peft.fresh(backbone, 3, seed=1)[name])
    leaves = {name: tensor.clone().requires_grad_() for name, tensor in raw.items()}
    with Injector(backbone.model, space)(peft.effective(space, leaves), torch.tensor([0, 2])):
        backbone.model(input_ids=torch.arange(12).view(2, 6), use_cache=False).logits.square().mean().backward()
    learning = [t for name, t in leaves.items() if not name.endswith(".A")]  # A's turn comes when B is no longer 0
    assert all(t.grad[0].abs().max() > 0 and t.grad[2].abs().max() > 0 for t in learning)
    assert all(t.grad is None or t.grad[1].abs().max() == 0 for t in leaves.values())


@pytest.mark.parametrize("kind", ["prompt_tuning", "prefix_tuning"])
def test_another_seed_or_size_is_another_start(backbone, kind):
    one, two = (PeftSettings(kind=kind).fresh(backbone, 1, seed) for seed in (0, 1))
    assert all(not torch.equal(one[name], two[name]) for name in one)
    small = PeftSettings(kind=kind, options={"tokens": 4, "std": 0.1}).fresh(backbone, 1, 0)
    assert all(4 in t.shape and 0.05 < t.std() < 0.2 for t in small.values())


def test_lora_is_the_one_of_lora_settings(backbone):
    options = {"targets": ["q_proj", "v_proj"], "rank": 4, "alpha": 8.0, "rslora": False}
    peft, lora = PeftSettings(options=options), LoraSettings(rank=4, alpha=8.0, rslora=False)
    assert peft.space(backbone) == lora.space(backbone)
    raw = {name: t + 1 for name, t in peft.fresh(backbone, 2, 0).items()}
    made = peft.effective(peft.space(backbone), raw)
    assert torch.equal(made.tensors["q_proj.B"], raw["q_proj.B"] * lora.scaling)
    assert torch.equal(made.tensors["q_proj.A"], raw["q_proj.A"])


def test_recipes_name_kinds_and_their_options():
    table = {"kind": "ia3", "options": {"targets": ["k_proj"], "feedforward": []}}
    peft = recipe.settings(PeftSettings, table, "peft")
    assert peft.settings().targets == ("k_proj",)
    with pytest.raises(ValueError, match="did you mean prompt_tuning"):
        PeftSettings(kind="prompt_tunning")
    with pytest.raises(ValueError, match="options of prefix_tuning.token: no such setting.*tokens"):
        PeftSettings(kind="prefix_tuning", options={"token": 3})
