"""Tiny random models of each family, a byte-level tokenizer and adapters that matter."""

import pytest
import torch
import transformers
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from tailorlm.adapters.batch import Adapters
from tailorlm.adapters.lora import LoraSpace
from tailorlm.backbone.inject import Injector
from tailorlm.backbone.model import Backbone

CHATML = (
    "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\n' + m['content'] + '<|im_end|>\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
ALL_LINEAR = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
FAMILIES = ("Qwen2", "Qwen3", "Llama", "Mistral", "Gemma", "Gemma2")


def make_tokenizer(template=CHATML, eos="<|im_end|>"):
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    core = Tokenizer(models.BPE({c: i for i, c in enumerate(alphabet)}, []))
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = decoders.ByteLevel()
    extra = [t for t in ("<|im_start|>", "<|im_end|>", "<end_of_turn>", "<|eot_id|>") if t != eos]
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=core, pad_token="<pad>", eos_token=eos, additional_special_tokens=extra
    )
    tokenizer.chat_template = template
    return tokenizer


def make_model(family, seed=0, **changes):
    torch.manual_seed(seed)
    sizes = dict(
        vocab_size=270,
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=3,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=8,
        max_position_embeddings=512,
        initializer_range=0.15,
        pad_token_id=256,
        bos_token_id=None,
        eos_token_id=None,
    )
    config = getattr(transformers, f"{family}Config")(**{**sizes, **changes})
    return getattr(transformers, f"{family}ForCausalLM")(config).eval()


def make_backbone(family="Qwen2", **changes):
    return Backbone(make_model(family, **changes), make_tokenizer(), f"tiny-{family}")


def make_adapters(space, users, seed=0, size=0.3):
    g = torch.Generator().manual_seed(seed)
    return Adapters(space, {k: size * torch.randn(users, *s, generator=g) for k, s in space.shapes().items()})


class Setup:
    """A backbone, its space at all linear layers, an injector and three adapters."""

    def __init__(self, family="Qwen2", targets=ALL_LINEAR, **changes):
        self.backbone = make_backbone(family, **changes)
        self.space = LoraSpace(self.backbone.sites(targets), 4)
        self.injector = Injector(self.backbone.model, self.space)
        self.adapters = make_adapters(self.space, 3)

    def logits(self, ids, adapters, index, mask=None):
        with torch.no_grad(), self.injector(adapters, torch.tensor(index)):
            return self.backbone.model(input_ids=ids, attention_mask=mask).logits


@pytest.fixture(params=FAMILIES)
def family(request):
    return Setup(request.param)


@pytest.fixture
def setup():
    return Setup()


@pytest.fixture
def ids():
    return torch.randint(0, 256, (3, 11), generator=torch.Generator().manual_seed(1))


@pytest.fixture
def tokenizer():
    return make_tokenizer()


@pytest.fixture
def make():
    """The builders above, for tests that need other settings."""
    return {"setup": Setup, "backbone": make_backbone, "tokenizer": make_tokenizer, "model": make_model}
