"""Users trained side by side against one by one with PEFT, and a hypernetwork's adapter against a trained one.

First table: `--users` OPPU users, a LoRA each on q and v (rank 8), the same rows, batches, epochs, clip and AdamW on
both sides. Ours trains all of them in one program of batches (`Tuning`'s loss, `train_many`); PEFT trains one after
another, with our loss (logits only where labels are: nothing but the adapters differs, and the target is held against
this one) and, as people use it, with the model's own over all positions. Of PEFT's users `--alone` are timed a round,
evenly chosen; all of a round's numbers are seconds a token. The base is random: `demo` has the shapes of the package's
small model, `0.5b` those of Qwen2.5-0.5B. Targets: at most 0.5x at demo size (2x faster), 1.1x at 0.5b on a CPU, 0.125x
(8x faster) on a GPU with `--batch 4`.
Second table (`--size demo` only): seconds a user on the demo's people. P2P generates the adapters of `--served` users
in one pass (target: at most 1 thousandth of OPPU one by one) or goes from history to adapter, statements written and
encoded anew, without any cache (at most 1/33); its network is untrained, which changes no time. Both are shared by all
who are served at once: users say the same things, and a statement is encoded once.
Memory: 1 GB at demo size, 8 GB at 0.5b. Run: python benchmarks/many_users.py [--size demo|0.5b] [--users 32]
[--served 200] [--items 16] [--tokens 48] [--batch 16] [--epochs 2] [--alone 4] [--rounds 3] [--threads 2]
[--device cpu]
"""

import argparse
import copy
import statistics
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import torch
from peft import LoraConfig, get_peft_model
from table import Row, show
from transformers import AutoConfig, Qwen2Config, Qwen2ForCausalLM

from tailorlm.backbone.inject import Injector
from tailorlm.backbone.loss import row_losses
from tailorlm.backbone.model import Backbone
from tailorlm.backbone.rows import Row as TokenRow
from tailorlm.backbone.rows import RowBatch, collate
from tailorlm.data.records import User
from tailorlm.demo import settings as demo
from tailorlm.demo.population import population
from tailorlm.demo.world import base_directory, counted, task_of
from tailorlm.methods import p2p
from tailorlm.methods.batches import all_items
from tailorlm.methods.peft import PeftSettings
from tailorlm.methods.source import Bench
from tailorlm.methods.tuning import Raw, row_loss
from tailorlm.profiles.encode import SentenceEncoder
from tailorlm.training.many import ManySettings, train_many
from tailorlm.training.plan import Plan, plan_epochs
from tailorlm.training.schedule import factor, progress

COMPLETION, RANK = 8, 8
SETTINGS = ManySettings(learning_rate=1e-4, clip=1.0)
HALF_B = {
    "hidden_size": 896, "intermediate_size": 4864, "num_hidden_layers": 24, "num_attention_heads": 14,
    "num_key_value_heads": 2, "vocab_size": 151936, "tie_word_embeddings": True,
}  # fmt: skip
TARGETS = {("demo", "cpu"): 0.5, ("0.5b", "cpu"): 1.1}
ON_GPU = 0.125
LORA = PeftSettings(options={"rank": RANK, "alpha": float(RANK), "rslora": False})


@dataclass(frozen=True)
class Work:
    """The users' rows on one base, and the steps in which each user sees them."""

    backbone: Backbone
    rows: Sequence[TokenRow]
    plan: Plan

    def tokens(self, users: Sequence[int]) -> int:
        """Tokens that training these users takes in, without padding."""
        steps = (step for user in users for step in self.plan.steps[user])
        return sum(len(self.rows[row].ids) for step in steps for row in step)


def random_base(size: str, device: str) -> Backbone:
    """A random model of the size's shapes."""
    config = Qwen2Config(**HALF_B, pad_token_id=0) if size == "0.5b" else AutoConfig.from_pretrained(base_directory())
    return Backbone(Qwen2ForCausalLM(config).to(device), SimpleNamespace(pad_token_id=0), f"random-{size}")


def random_work(base: Backbone, users: int, items: int, tokens: int, batch: int, epochs: int) -> Work:
    """Rows of tokens/2 to 3/2 tokens, 8 of them the completion, the same lengths for every user."""
    lengths = torch.linspace(max(tokens // 2, COMPLETION + 1), tokens + tokens // 2, items).long().tolist()
    vocabulary = base.model.config.vocab_size
    rows = [
        TokenRow(f"{user}@{n}", torch.randint(1, vocabulary, (length,)).tolist(), length - COMPLETION)
        for user in range(users)
        for n, length in enumerate(lengths)
    ]
    own = [range(user * items, (user + 1) * items) for user in range(users)]
    plan = plan_epochs([f"u{user}" for user in range(users)], own, epochs=epochs, batch=batch)
    return Work(base, rows, plan)


def together(work: Work) -> float:
    """Seconds to train all users side by side."""
    base, space = work.backbone, LORA.space(work.backbone)
    injector = Injector(base.model, space)
    bench = Bench(base, cast(Any, None), cast(Any, None))

    def effective(params: Raw, fixed: Raw) -> Any:
        return LORA.effective(space, params)

    start = time.perf_counter()
    params = LORA.fresh(base, len(work.plan.ids), 0)
    loss = row_loss(bench, injector, work.rows, {}, effective)
    train_many(loss, params, work.plan, SETTINGS, tokens=[len(row.ids) for row in work.rows])
    _finish(base)
    spent = time.perf_counter() - start
    injector.clear()
    return spent


class OneByOne:
    """PEFT's LoRA on the base's own weights (shared, not copied), fresh for each user."""

    def __init__(self, base: Backbone, own_loss: bool) -> None:
        twin: Any = copy.deepcopy(base.model, {id(p): p for p in base.model.parameters()})
        config = LoraConfig(r=RANK, lora_alpha=RANK, target_modules=["q_proj", "v_proj"], task_type="CAUSAL_LM")
        self.model: Any = get_peft_model(twin, config)
        self.backbone = Backbone(self.model.base_model.model, None, base.id)  # freezes everything
        self.own_loss = own_loss
        self.lora = {name: value for name, value in self.model.named_parameters() if "lora_" in name}
        for value in self.lora.values():
            value.requires_grad_()

    def seconds(self, work: Work, users: Sequence[int]) -> float:
        """To train these users, one after another."""
        start = time.perf_counter()
        for user in users:
            self._train(work, user)
        _finish(work.backbone)
        return time.perf_counter() - start

    def _train(self, work: Work, user: int) -> None:
        for name, value in self.lora.items():
            value.data.uniform_(-0.02, 0.02) if "lora_A" in name else value.data.zero_()
        values = list(self.lora.values())
        optimiser = torch.optim.AdamW(values, lr=1.0, weight_decay=SETTINGS.weight_decay, fused=True)
        steps = work.plan.steps[user]
        for number, step in enumerate(steps):
            done = progress(number, len(steps))
            optimiser.param_groups[0]["lr"] = SETTINGS.learning_rate * factor(done, SETTINGS.warmup, SETTINGS.decay)
            optimiser.zero_grad()
            self._loss(collate([work.rows[row] for row in step], 0, [-1] * len(step))).backward()
            torch.nn.utils.clip_grad_norm_(values, SETTINGS.clip)
            optimiser.step()

    def _loss(self, batch: RowBatch) -> Any:
        if not self.own_loss:
            return row_losses(self.backbone, batch).mean()
        batch = batch.to(self.backbone.device)
        given = {"input_ids": batch.input_ids, "attention_mask": batch.attention_mask, "labels": batch.labels}
        return self.backbone.model(**given, use_cache=False).loss


def _finish(base: Backbone) -> None:
    if base.device.type == "cuda":
        torch.cuda.synchronize()


def trained(work: Work, alone: int, rounds: int) -> list[list[float]]:
    """Seconds a token of each round: side by side, PEFT with our loss, PEFT with the model's."""
    everyone = range(len(work.plan.ids))
    few = everyone[:: max(1, len(everyone) // alone)]
    sides = [OneByOne(work.backbone, own_loss) for own_loss in (False, True)]
    found = []
    for _ in range(rounds + 1):  # the first warms up
        ours = together(work) / work.tokens(everyone)
        found.append([ours, *(side.seconds(work, few) / work.tokens(few) for side in sides)])
    return found[1:]


def training_rows(times: list[list[float]], target: float | None) -> list[Row]:
    """The table's rows: ratios are medians of the rounds' ratios."""
    rates = [statistics.median(column) for column in zip(*times, strict=True)]
    ratio = [statistics.median(one[0] / one[side] for one in times) for side in (1, 2)]
    said = [f"{1e6 * rate:.1f} us a token" for rate in rates]
    return [
        ("side by side, of PEFT with our loss", f"{said[0]} against {said[1]}", ratio[0], target),
        ("side by side, of PEFT with the model's", f"{said[0]} against {said[2]}", ratio[1], target),
    ]


def generated(users: int, epochs: int, batch: int, alone: int, rounds: int) -> list[Row]:
    """P2P's seconds a user over those of OPPU one by one, in thousandths."""
    served = [member.user for member in population("train", users, seed=0)]
    bench = Bench(Backbone.load(str(base_directory()), dtype="float32"), task_of, counted(served), SentenceEncoder())
    bench = replace(bench, max_tokens=256)
    source = p2p.Source(bench, demo.tailored(0, 1))
    with tempfile.TemporaryDirectory() as folder:
        source.prepare(served, Path(folder) / "run")
    rows = all_items(bench, served)
    own: dict[str, list[int]] = {user.id: [] for user in served}
    for number, cut in enumerate(rows.cut):
        own[rows.cuts[cut].user_id].append(number)
    work = Work(bench.backbone, rows.rows, plan_epochs(list(own), list(own.values()), epochs=epochs, batch=batch))
    few = range(users)[:: max(1, users // alone)]
    peft = OneByOne(bench.backbone, own_loss=False)
    times = [(*_p2p(source, served), peft.seconds(work, few) / len(few)) for _ in range(rounds + 1)][1:]
    one_pass, whole, tuned = (statistics.median(column) for column in zip(*times, strict=True))
    return [
        ("P2P, the pass alone, of OPPU one by one", _said(one_pass, tuned), 1000 * one_pass / tuned, 1.0),
        ("P2P, history to adapter, of the same", _said(whole, tuned), 1000 * whole / tuned, 1000 / 33),
    ]


@torch.no_grad()
def _p2p(source: p2p.Source, served: Sequence[User]) -> tuple[float, float]:
    """Seconds a user: the network's pass over all users' vectors, and all of enrolling."""
    start = time.perf_counter()
    source.enrol(served)
    whole = time.perf_counter() - start
    profiles = [source.bench.profile(user.id, user.history, None) for user in served]
    vectors = source.table(profiles).gather(torch.arange(len(profiles)))
    assert source.hypernet is not None
    start = time.perf_counter()
    source.hypernet(*vectors)
    return (time.perf_counter() - start) / len(served), whole / len(served)


def _said(ours: float, theirs: float) -> str:
    return f"{1000 * ours:.3f} ms against {1000 * theirs:.1f} ms a user: {theirs / ours:,.0f} times as fast"


def main() -> None:
    """Builds the base and the users, takes turns, prints the tables."""
    form = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=form)
    parser.add_argument("--size", choices=("demo", "0.5b"), default="demo")
    numbers = {
        "users": 32,
        "served": 200,
        "items": 16,
        "tokens": 48,
        "batch": 16,
        "epochs": 2,
        "alone": 4,
        "rounds": 3,
        "threads": 2,
    }
    for name, default in numbers.items():
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--device", default="cpu")
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    torch.manual_seed(0)
    base = random_base(asked.size, asked.device)
    work = random_work(base, asked.users, asked.items, asked.tokens, asked.batch, asked.epochs)
    target = TARGETS.get((asked.size, asked.device), ON_GPU)
    print(f"{asked.size}: {asked.users} users, {work.tokens(range(asked.users))} tokens, batches of {asked.batch}")
    show(training_rows(trained(work, asked.alone, asked.rounds), target), "float32", asked.threads)
    if asked.size == "demo" and asked.device == "cpu":
        print(f"a user of the demo, {asked.served} served at once, in thousandths of OPPU one by one")
        found = generated(asked.served, asked.epochs, asked.batch, asked.alone, asked.rounds)
        show(found, "float32", asked.threads, "m")


if __name__ == "__main__":
    main()
