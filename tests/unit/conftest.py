"""A tiny world for the public API: a random base in a folder, users in a file, a recipe, a trained run."""

import json
import random
from pathlib import Path

import pytest
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast, Qwen2Config, Qwen2ForCausalLM

TEMPLATE = (
    "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\n' + m['content'] + '<|im_end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
RECIPE = """
seed = 3
max_tokens = 160

[base]
name = "{base}"

[data]
root = "{users}"
holdout = 0.3

[encoder]
kind = "base"

[methods.mt_lora.lora]
targets = ["q_proj"]
rank = 2

[methods.mt_lora.batch]
users = 4

[methods.mt_lora.train]
steps = 3
save_every = 2

[methods.p2p.lora]
targets = ["q_proj"]
rank = 2

[methods.oppu.lora]
targets = ["q_proj"]
rank = 3

[methods.p2p.net]
latent = 16
head_in = 16
components = 3

[methods.p2p.batch]
users = 4

[methods.p2p.train]
steps = 4
learning_rate = 1e-2
save_every = 2

[eval]
resamples = 50
"""


def save_base(folder: Path, seed: int) -> Path:
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    core = Tokenizer(models.BPE({letter: i for i, letter in enumerate(alphabet)}, []))
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = decoders.ByteLevel()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=core, pad_token="<pad>", eos_token="<|im_end|>",
        additional_special_tokens=["<|im_start|>"],
    )  # fmt: skip
    tokenizer.chat_template = TEMPLATE
    torch.manual_seed(seed)
    model = Qwen2ForCausalLM(
        Qwen2Config(
            vocab_size=len(tokenizer), hidden_size=16, intermediate_size=24, num_hidden_layers=2,
            num_attention_heads=2, num_key_value_heads=1, max_position_embeddings=512, initializer_range=0.3,
            pad_token_id=tokenizer.pad_token_id, eos_token_id=tokenizer.eos_token_id, bos_token_id=None,
        )
    )  # fmt: skip
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def user_line(number: int, items: int = 6) -> dict:
    dice = random.Random(number)
    history = []
    for time in range(items):
        if time % 2:
            word = dice.choice(["drama", "comedy"])
            history.append({"input": f"Tag this movie: scene {time}. Tags: drama, comedy", "output": word,
                            "task": "movie_tagging", "time": time})  # fmt: skip
        else:
            history.append({"input": f"Write a headline: news {time}", "output": f"NEWS {time}!", "task": "headline",
                            "time": time})  # fmt: skip
    return {"user_id": f"u{number}", "history": history}


@pytest.fixture(scope="session")
def tiny_base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_base(tmp_path_factory.mktemp("base"), 0)


@pytest.fixture(scope="session")
def other_base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same shapes and tokenizer, other weights."""
    return save_base(tmp_path_factory.mktemp("other"), 1)


@pytest.fixture(scope="session")
def tiny_users(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("users") / "users.jsonl"
    path.write_text("".join(json.dumps(user_line(number)) + "\n" for number in range(10)), encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def tiny_recipe(tiny_base: Path, tiny_users: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("recipe") / "tiny.toml"
    path.write_text(RECIPE.format(base=tiny_base, users=tiny_users), encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def tiny_run(tiny_recipe: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A trained run's folder."""
    from tailorlm.assembly import build
    from tailorlm.assembly.recipes import read

    folder = tmp_path_factory.mktemp("runs") / "tiny"
    build.train(read(tiny_recipe), folder)
    return folder
