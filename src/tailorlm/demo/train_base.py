"""Makes the demo's small base model: tokenizer, weights, log. `python -m tailorlm.demo.train_base OUT`.

The base plays the part of an instruct model: it answers impersonal questions, and follows a profile that stands in
the prompt. It learns from its own users (split `base`), never from those of the hypernetwork.
"""

import json
import random
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from torch import Tensor
from transformers import PreTrainedTokenizerFast, Qwen2Config, Qwen2ForCausalLM

from tailorlm.demo.population import TASKS, Member, impersonal, population
from tailorlm.demo.world import counted
from tailorlm.methods.source import Profiler

SPECIAL = ["<|pad|>", "<|end|>", "<|system|>", "<|user|>", "<|assistant|>"]
TEMPLATE = (
    "{% for m in messages %}{{ '<|' + m['role'] + '|>' + m['content'] + '<|end|>' }}{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
Pair = tuple[str, str, str]
Ids = tuple[list[int], int]


def personal(member: Member, profile: Profiler, rng: random.Random) -> Iterator[Pair]:
    """(task, profile and question, the user's answer) for four items after a random cut."""
    history = member.user.history
    cut = rng.randint(8, len(history) - 4)
    said = profile(member.user.id, history[:cut], None).statements
    for item in rng.sample(history[cut:], 4):
        lines = [s.text for s in said if s.facet.startswith(f"{item.task}:")]
        yield item.task or "", "\n".join([*lines, item.input]), item.output


def question(rng: random.Random) -> Pair:
    """An impersonal question of any task."""
    task = rng.choice(TASKS)
    return task, *impersonal(task, rng)


def make_tokenizer(texts: Iterator[str], size: int) -> PreTrainedTokenizerFast:
    """Byte-level BPE of `size` tokens with the chat template; `<|end|>` ends a turn and a text."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=size, special_tokens=SPECIAL, initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator(texts, trainer)
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="<|pad|>", eos_token="<|end|>")
    fast.chat_template = TEMPLATE
    return fast


def encode(tokenizer: PreTrainedTokenizerFast, pairs: list[Pair]) -> list[Ids]:
    """Token ids of each chat and the length of its prompt."""
    prompts = tokenizer([f"<|user|>{p}<|end|><|assistant|>" for _, p, _ in pairs])["input_ids"]
    answers = tokenizer([f"{a}<|end|>" for _, _, a in pairs])["input_ids"]
    return [(p + a, len(p)) for p, a in zip(prompts, answers, strict=True)]


def padded(rows: list[Ids]) -> tuple[Tensor, Tensor]:
    """Ids (N, T), and labels (N, T): the token that an answer has next, -100 elsewhere."""
    width = max(len(ids) for ids, _ in rows)
    ids = torch.zeros(len(rows), width, dtype=torch.long)
    labels = torch.full((len(rows), width), -100)
    for n, (row, start) in enumerate(rows):
        ids[n, : len(row)] = torch.tensor(row)
        labels[n, start - 1 : len(row) - 1] = torch.tensor(row[start:])
    return ids, labels


def batches(rows: list[Ids], size: int, rng: random.Random) -> Iterator[list[Ids]]:
    """Rows of like length together, batches shuffled."""
    rows = sorted(rows, key=lambda row: (len(row[0]), rng.random()))
    groups = [rows[i : i + size] for i in range(0, len(rows) - size + 1, size)]
    rng.shuffle(groups)
    yield from groups


def loss_of(model: Qwen2ForCausalLM, ids: Tensor, labels: Tensor) -> Tensor:
    """Mean token loss of the answers; padding is on the right, so the causal mask alone keeps it out."""
    hidden = model.model(input_ids=ids).last_hidden_state[labels >= 0]
    return torch.nn.functional.cross_entropy(model.lm_head(hidden), labels[labels >= 0])


def small_config(tokenizer: PreTrainedTokenizerFast) -> Qwen2Config:
    """About a million weights."""
    return Qwen2Config(
        vocab_size=len(tokenizer), hidden_size=128, num_hidden_layers=4, num_attention_heads=4,
        num_key_value_heads=2, intermediate_size=384, max_position_embeddings=1024, tie_word_embeddings=True,
        pad_token_id=tokenizer.pad_token_id, eos_token_id=tokenizer.eos_token_id, bos_token_id=None,
    )  # fmt: skip


def rate(step: int, steps: int) -> float:
    """Warm-up over 100 steps, then linear to a fiftieth."""
    return 3e-3 * min(1.0, (step + 1) / 100) * max(0.02, 1 - step / steps)


def stream(tailored: list[Ids], impersonals: list[Ids], rng: random.Random) -> Iterator[list[Ids]]:
    """Batches of 32: impersonal questions first, then three of five rows with a profile in front."""
    for shares in [(64, 5000)] * 3 + [(4000, 2500)] * 1000:
        picked = [rng.sample(rows, share) for rows, share in zip((tailored, impersonals), shares, strict=True)]
        yield from batches(picked[0] + picked[1], 32, rng)


def main(out: Path, steps: int = 4800, users: int = 8000, seed: int = 1) -> None:
    """Trains for `steps` and writes the model, the tokenizer and `training.jsonl` into `out`."""
    torch.manual_seed(seed)
    rng = random.Random(seed)
    members = list(population("base", users, seed))
    profile = counted([member.user for member in members])
    pairs = [pair for member in members for pair in personal(member, profile, rng)]
    plain = [question(rng) for _ in range(20_000)]
    tokenizer = make_tokenizer((text for _, p, a in pairs[:8000] + plain for text in (p, a)), 2048)
    model = Qwen2ForCausalLM(small_config(tokenizer))
    optimiser = torch.optim.AdamW(model.parameters(), weight_decay=0.01, betas=(0.9, 0.98), fused=True)
    start, log = time.time(), []
    rows = stream(encode(tokenizer, pairs), encode(tokenizer, plain), rng)
    for step, batch in zip(range(steps), rows, strict=False):
        for group in optimiser.param_groups:
            group["lr"] = rate(step, steps)
        loss = loss_of(model, *padded(batch))
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        if step % 50 == 49:
            log.append({"step": step + 1, "seconds": round(time.time() - start), "loss": round(loss.item(), 4)})
            print(json.dumps(log[-1]), flush=True)
    model.save_pretrained(out)
    tokenizer.save_pretrained(out)
    (out / "training.jsonl").write_text("".join(json.dumps(line) + "\n" for line in log))


if __name__ == "__main__":
    main(Path(sys.argv[1]), *(int(x) for x in sys.argv[2:3]))
