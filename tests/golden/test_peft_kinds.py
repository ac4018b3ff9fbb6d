"""PEFT is the reference: it loads what we export and gives our logits and texts, and we load what it has trained."""

import copy
import dataclasses
import json

import pytest
import torch
import transformers
from peft import IA3Config, LoraConfig, PeftModel, PrefixTuningConfig, PromptTuningConfig, get_peft_model
from safetensors.torch import load_file, save_file

from tailorlm import plugins
from tailorlm.adapters.batch import Adapters, BadAdapters
from tailorlm.adapters.peft_config import CONFIG, PeftFileError
from tailorlm.adapters.peft_files import WEIGHTS, save_peft
from tailorlm.backbone.inject import Injector
from tailorlm.backbone.model import Backbone
from tailorlm.backbone.peft import load_adapter

KINDS = ("ia3", "lora", "prefix_tuning", "prompt_tuning")
FAMILIES = ("Qwen2", "Qwen3", "Llama", "Mistral", "Gemma", "Gemma2")
PAD = 90
THEIRS = {
    "ia3": IA3Config(
        target_modules=["k_proj", "v_proj", "down_proj"], feedforward_modules=["down_proj"], task_type="CAUSAL_LM"
    ),
    "lora": LoraConfig(r=4, lora_alpha=16, target_modules=["q_proj", "v_proj"], task_type="CAUSAL_LM"),
    "prefix_tuning": PrefixTuningConfig(num_virtual_tokens=5, task_type="CAUSAL_LM"),
    "prompt_tuning": PromptTuningConfig(num_virtual_tokens=5, task_type="CAUSAL_LM"),
}


def tiny(family):
    torch.manual_seed(0)
    config = getattr(transformers, f"{family}Config")(
        vocab_size=100, hidden_size=32, intermediate_size=48, num_hidden_layers=3, num_attention_heads=4,
        num_key_value_heads=2, head_dim=8, max_position_embeddings=256, initializer_range=0.2, pad_token_id=PAD,
        bos_token_id=None, eos_token_id=None, tie_word_embeddings=False,
    )  # fmt: skip
    return Backbone(getattr(transformers, f"{family}ForCausalLM")(config).eval(), None, f"tiny-{family}")


def users(kind, backbone):
    """Three adapters that matter."""
    plugin = plugins.find("adapters", kind)
    settings = plugin.Settings()
    space = plugin.space(settings, backbone.shape)
    g = torch.Generator().manual_seed(1)
    raw = {k: t + 0.4 * torch.randn(3, *t.shape, generator=g) for k, t in space.start(g).items()}
    return Adapters(space, plugin.effective(space, settings, raw))


def batch(side):
    ids = torch.randint(0, PAD, (3, 12), generator=torch.Generator().manual_seed(2))
    mask = torch.ones_like(ids)
    for row, length in enumerate((12, 7, 4)):
        mask[row, : 12 - length] = mask[row, length:] = 1
        (mask[row, : 12 - length] if side == "left" else mask[row, length:]).zero_()
    return ids.masked_fill(mask == 0, PAD), mask


def ours(backbone, adapters, index, ids, mask):
    injector = Injector(backbone.model, adapters.space)
    with torch.no_grad(), injector(adapters, torch.tensor(index)):
        return backbone.model(input_ids=ids, attention_mask=mask).logits


def texts(model, ids, mask):
    with torch.no_grad():
        made = model.generate(
            input_ids=ids, attention_mask=mask, max_new_tokens=8, do_sample=False, pad_token_id=PAD, eos_token_id=None
        )
    return made[:, ids.shape[1] :]


def exported(backbone, adapters, tmp_path):
    folders = [tmp_path / f"user{i}" for i in range(len(adapters))]
    save_peft(adapters, folders, backbone.id, None, {})
    return [PeftModel.from_pretrained(copy.deepcopy(backbone.model), str(folder)).eval() for folder in folders]


def largest(difference):
    return difference.abs().max().item()


@pytest.fixture(params=[(k, f) for k in KINDS for f in FAMILIES], ids="-".join)
def pair(request):
    backbone = tiny(request.param[1])
    return backbone, users(request.param[0], backbone)


def test_peft_gives_the_logits_of_what_we_export(pair, tmp_path):
    backbone, adapters = pair
    ids, mask = batch("right")
    mine, swapped = (ours(backbone, adapters, index, ids, mask) for index in ([0, 1, 2], [1, 2, 0]))
    for user, model in enumerate(exported(backbone, adapters, tmp_path)):
        with torch.no_grad():
            theirs = model(input_ids=ids, attention_mask=mask).logits[user, -12:]  # a prompt's own come first
        real = mask[user].bool()
        assert largest((mine[user] - theirs)[real]) < 1e-4
        assert largest((swapped[user] - theirs)[real]) > 0.1


def test_peft_writes_the_texts_of_what_we_export(pair, tmp_path):
    backbone, adapters = pair
    ids, mask = batch("left")
    injector = Injector(backbone.model, adapters.space)
    with injector(adapters, torch.tensor([0, 1, 2])):
        mine = texts(backbone.model, ids, mask)
    for user, model in enumerate(exported(backbone, adapters, tmp_path)):
        # PEFT counts padding as positions between a prompt and its text, and nothing for the other kinds.
        own = slice(12 - int(mask[user].sum()), None) if adapters.space.kind == "prompt_tuning" else slice(None)
        rows = slice(user, user + 1) if adapters.space.kind == "prompt_tuning" else slice(None)
        theirs = texts(model, ids[rows, own], mask[rows, own])
        assert torch.equal(mine[user], theirs[0 if len(theirs) == 1 else user])
    with torch.no_grad():
        assert not torch.equal(mine, texts(backbone.model, ids, mask))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("family", ["Qwen2", "Gemma2"])
def test_what_peft_has_trained_is_read(kind, family, tmp_path):
    backbone = tiny(family)
    ids, mask = batch("right")
    torch.manual_seed(4)
    model = get_peft_model(copy.deepcopy(backbone.model), copy.deepcopy(THEIRS[kind]))
    optimiser = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.3)
    for _ in range(3):
        model(input_ids=ids, attention_mask=mask, labels=ids).loss.backward()
        optimiser.step()
        optimiser.zero_grad()
    with torch.no_grad():
        theirs = model.eval()(input_ids=ids, attention_mask=mask).logits
    theirs = theirs[:, -12:]
    model.save_pretrained(tmp_path / "theirs")
    loaded = load_adapter(tmp_path / "theirs", backbone)
    real = mask.bool()
    with torch.no_grad():
        assert largest((theirs - backbone.model(input_ids=ids, attention_mask=mask).logits)[real]) > 0.01
    assert largest((ours(backbone, loaded, [0, 0, 0], ids, mask) - theirs)[real]) < 1e-4


@pytest.mark.parametrize("kind", KINDS)
def test_files_come_back_bit_for_bit(kind, tmp_path):
    backbone = tiny("Qwen2")
    adapters = users(kind, backbone)
    folders = [tmp_path / str(i) for i in range(3)]
    save_peft(adapters, folders, "org/base", "abc", {"profile": "v1"})
    for i, folder in enumerate(folders):
        loaded = load_adapter(folder, backbone)
        assert loaded.space == adapters.space and len(loaded) == 1
        assert all(torch.equal(t[0], adapters.tensors[name][i]) for name, t in loaded.tensors.items())


def edit(folder, **changes):
    config = json.loads((folder / CONFIG).read_text())
    (folder / CONFIG).write_text(json.dumps({**config, **changes}))


@pytest.mark.parametrize(
    ("kind", "field", "value"),
    [
        ("ia3", "modules_to_save", ["lm_head"]),
        ("ia3", "exclude_modules", ["k_proj"]),
        ("ia3", "fan_in_fan_out", True),
        ("ia3", "target_modules", "all-linear"),
        ("ia3", "feedforward_modules", ["up_proj"]),
        ("ia3", "something_new", {"a": 1}),
        ("prompt_tuning", "num_virtual_tokens", 0),
        ("prompt_tuning", "num_virtual_tokens", None),
        ("prompt_tuning", "num_transformer_submodules", 2),
        ("prompt_tuning", "modules_to_save", ["lm_head"]),
        ("prefix_tuning", "num_virtual_tokens", True),
        ("prefix_tuning", "num_transformer_submodules", 2),
        ("prefix_tuning", "modules_to_save", ["lm_head"]),
        ("lora", "use_dora", True),
        ("lora", "peft_type", "OFT"),
        ("lora", "peft_type", "lora"),
        ("lora", "peft_type", "../lora"),
        ("lora", "task_type", "SEQ_CLS"),
    ],
)
def test_what_a_kind_cannot_express_is_refused_with_the_field(kind, field, value, tmp_path):
    backbone = tiny("Qwen2")
    save_peft(users(kind, backbone)[0], [tmp_path / "a"], "b", None, {})
    edit(tmp_path / "a", **{field: value})
    with pytest.raises(PeftFileError, match="up_proj" if field == "feedforward_modules" else field):
        load_adapter(tmp_path / "a", backbone)


@pytest.mark.parametrize("kind", KINDS)
def test_weights_are_compared_with_the_model_before_they_are_read(kind, tmp_path):
    backbone, other = tiny("Qwen2"), tiny("Qwen2")
    save_peft(users(kind, backbone)[0], [tmp_path / "a"], "b", None, {})
    tensors = load_file(tmp_path / "a" / WEIGHTS)
    name = next(iter(tensors))
    for broken in ({k: t for k, t in tensors.items() if k != name}, {**tensors, "odd": torch.zeros(1)}):
        save_file(broken, tmp_path / "a" / WEIGHTS)
        with pytest.raises(PeftFileError, match="does not fit"):
            load_adapter(tmp_path / "a", backbone)
    save_file({**tensors, name: tensors[name][:, :1].contiguous()[:0]}, tmp_path / "a" / WEIGHTS)
    with pytest.raises(PeftFileError, match="must be"):
        load_adapter(tmp_path / "a", other)
    save_file({**tensors, name: torch.full_like(tensors[name], float("nan"))}, tmp_path / "a" / WEIGHTS)
    with pytest.raises(BadAdapters, match="NaN"):
        load_adapter(tmp_path / "a", backbone)


def test_a_model_that_does_not_say_its_heads_has_no_prefixes():
    backbone = tiny("Qwen2")
    plugin = plugins.find("adapters", "prefix_tuning")
    shape = dataclasses.replace(backbone.shape, kv_heads=0)
    with pytest.raises(ValueError, match="one number and size of key-value heads"):
        plugin.space(plugin.Settings(), shape)
