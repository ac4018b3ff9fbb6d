"""A tiny random base, a few generated users, and an encoder that needs no model."""

import hashlib
from dataclasses import dataclass, replace

import pytest
import torch
from described_tasks import task
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast, Qwen2Config, Qwen2ForCausalLM

from tailorlm.backbone.model import Backbone
from tailorlm.data.records import Example
from tailorlm.demo.population import population
from tailorlm.demo.world import counted, task_of
from tailorlm.methods.source import Bench

TEMPLATE = (
    "{% for m in messages %}{{ '<|' + m['role'] + '|>' + m['content'] + '<|end|>' }}{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)


@dataclass(frozen=True)
class HashEncoder:
    """Each text its own random direction, from its digest."""

    id: str = "hash"
    size: int = 24

    def __call__(self, texts):
        return torch.stack([self._one(text) for text in texts])

    def _one(self, text):
        seed = int.from_bytes(hashlib.sha256(text.encode()).digest()[:6], "big")
        vector = torch.randn(self.size, generator=torch.Generator().manual_seed(seed))
        return vector / vector.norm() * self.size**0.5


def tiny_backbone():
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    core = Tokenizer(models.BPE({c: i for i, c in enumerate(alphabet)}, []))
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = decoders.ByteLevel()
    roles = ["<|user|>", "<|assistant|>", "<|system|>"]
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=core, pad_token="<|pad|>", eos_token="<|end|>", additional_special_tokens=roles
    )
    tokenizer.chat_template = TEMPLATE
    torch.manual_seed(0)
    config = Qwen2Config(
        vocab_size=264, hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, max_position_embeddings=512, initializer_range=0.15,
    )  # fmt: skip
    return Backbone(Qwen2ForCausalLM(config), tokenizer, "tiny")


@pytest.fixture(scope="session")
def people():
    """Six users with at least 20 items each."""
    return [member.user for member in population("train", 6, seed=3)]


@pytest.fixture(scope="session")
def bench(people):
    return Bench(tiny_backbone(), task_of, counted(people), HashEncoder(), max_tokens=256)


def last_items(users):
    """Each user's last item as a query."""
    return [Example(f"{u.id}-q", u.id, u.history[-1].task, u.history[-1].input, u.history[-1].output) for u in users]


@pytest.fixture(scope="session")
def queries(people):
    return last_items(people)


@pytest.fixture
def fresh_base():
    """A second copy of the tiny base, for PEFT to wrap."""
    return tiny_backbone()


@pytest.fixture(scope="module")
def tasks():
    """Tasks told in words."""
    return [task("loud", "!"), task("asking", "?", 2), task("trailing", "..."), task("plain end", ".", 4)]


@pytest.fixture
def other_base(bench, fresh_base):
    """The same base by name and shapes, with other weights."""
    with torch.no_grad():
        for weight in fresh_base.model.parameters():
            weight.mul_(1.3)
    assert fresh_base.id == bench.backbone.id
    return replace(bench, backbone=fresh_base)
