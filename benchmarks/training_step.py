"""A hypernetwork's training step against a PEFT LoRA's, of one base on the same batch, in turns in one process.

Ours: the objective that `tailor train` steps, with the additive network and with the published trunk and head L
(latent 128, head_in 512); every row has a profile of its own, the dearest case. PEFT twice: with our loss (logits
only where labels are: nothing but the adapters differs, and the targets are held against this one), and as
people use it, with the model's own loss over all positions. All share the base's weights, rank, AdamW, clipping;
regularisers are off on both sides but for ours on the generated weights. The base is random: Qwen2, hidden 288,
6 layers, vocabulary 8192. Ratios are medians of the rounds' ratios; the target is at most 1.25.
Memory: 1 GB. Run: python benchmarks/training_step.py [--rows 64] [--tokens 48] [--rounds 6] [--threads 2]
"""

import argparse
import copy
import statistics
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from peft import LoraConfig, get_peft_model
from table import Row, show
from torch import Tensor
from torch.nn import Parameter
from transformers import Qwen2Config, Qwen2ForCausalLM

from tailorlm.adapters.lora import LoraSpace
from tailorlm.backbone.inject import Injector
from tailorlm.backbone.loss import row_losses
from tailorlm.backbone.model import Backbone
from tailorlm.backbone.rows import Row as TokenRow
from tailorlm.backbone.rows import RowBatch, collate
from tailorlm.hypernet.kinds import Network, make
from tailorlm.methods.objectives import HypernetObjective, LossSettings
from tailorlm.profiles.table import VectorTable
from tailorlm.training.optimiser import make_optimiser
from tailorlm.training.settings import TrainSettings
from tailorlm.training.step import gradient_step, make_accelerator

RANK, ENCODER, SLOTS, COMPLETION, VOCABULARY = 16, 384, 24, 8, 8192
TARGETS = ("q_proj", "v_proj")
BASE = {
    "hidden_size": 288,
    "intermediate_size": 768,
    "num_hidden_layers": 6,
    "num_attention_heads": 6,
    "num_key_value_heads": 2,
    "vocab_size": VOCABULARY,
    "pad_token_id": 0,
}
SETTINGS: Mapping[str, Mapping[str, Any]] = {
    "additive": {"head": "additive", "pool": "facets", "slots": SLOTS, "components": 16},
    "head L": {"head": "L", "pool": "single", "slots": 1, "latent": 128, "head_in": 512},
}
PLAIN = LossSettings(smoothing=0.0, neftune=0.0, dropout=0.0)


@dataclass(frozen=True)
class PeftObjective:
    """PEFT's LoRA; `own_loss`: the model's own, a mean over all labels, for every row."""

    backbone: Backbone
    own_loss: bool

    def parameters(self) -> Iterable[Parameter]:
        return [value for name, value in self.backbone.model.named_parameters() if "lora_" in name]

    def loss(self, batch: RowBatch) -> tuple[Tensor, Mapping[str, float | Tensor]]:
        """(N,) losses."""
        if not self.own_loss:
            return row_losses(self.backbone, batch), {}
        given = {"input_ids": batch.input_ids, "attention_mask": batch.attention_mask, "labels": batch.labels}
        return self.backbone.model(**given, use_cache=False).loss.expand(len(batch.ids)), {}

    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> Any:
        return None


def peft_objective(base: Backbone, own_loss: bool) -> PeftObjective:
    """A PEFT LoRA on the base's own weights (shared, not copied)."""
    twin: Any = copy.deepcopy(base.model, {id(p): p for p in base.model.parameters()})
    config = LoraConfig(r=RANK, lora_alpha=RANK, target_modules=list(TARGETS), task_type="CAUSAL_LM")
    backbone = Backbone(get_peft_model(twin, config).base_model.model, None, base.id)  # freezes everything
    for name, value in backbone.model.named_parameters():
        value.requires_grad_("lora_" in name)
    return PeftObjective(backbone, own_loss)


def our_objective(base: Backbone, injector: Injector, network: Network, profiles: int) -> HypernetObjective:
    """The hypernetwork's objective over random profile vectors, its pool fitted on them."""
    slots = network.settings["slots"]
    unique = torch.nn.functional.normalize(torch.randn(4 * profiles, ENCODER), dim=1) * ENCODER**0.5
    table = VectorTable(unique, torch.randint(len(unique), (profiles, slots)))
    network.fit(*table.gather(torch.arange(profiles)))
    return HypernetObjective(base, injector, network, table, PLAIN)


def random_batch(rows: int, tokens: int) -> RowBatch:
    """Rows of tokens/2 to 3/2 tokens, 8 of them the completion; row i has profile i."""
    lengths = torch.linspace(max(tokens // 2, COMPLETION + 1), tokens + tokens // 2, rows).long().tolist()
    made = [
        TokenRow(f"row-{i}", torch.randint(1, VOCABULARY, (n,)).tolist(), n - COMPLETION) for i, n in enumerate(lengths)
    ]
    return collate(made, 0, torch.arange(rows))


class Stepper:
    """One side: `seconds` takes a step on the batch and tells how long it took, on the wall and the processor."""

    def __init__(self, objective: Any) -> None:
        settings = TrainSettings(learning_rate=1e-5)
        self.objective = objective
        self.parameters = list(objective.parameters())
        self.optimiser = make_optimiser(self.parameters, {}, settings)
        self.accelerator = make_accelerator(torch.device("cpu"), settings)

    def seconds(self, batch: RowBatch) -> tuple[float, float]:
        wall, processor = time.perf_counter(), time.process_time()
        gradient_step(self.accelerator, self.objective, self.optimiser, self.parameters, [batch], 1.0)
        return time.perf_counter() - wall, time.process_time() - processor


def sides(base: Backbone, profiles: int) -> dict[str, Stepper]:
    """All four, the one that ratios are to first; each PEFT twin has weights of the base, none of its patches."""
    space = LoraSpace(base.sites(TARGETS), RANK)
    made: dict[str, Stepper] = {
        "peft, our loss": Stepper(peft_objective(base, own_loss=False)),
        "peft, model's loss": Stepper(peft_objective(base, own_loss=True)),
    }
    injector = Injector(base.model, space)
    for name, settings in SETTINGS.items():
        network = make(space, {"encoder_size": ENCODER, "scaling": 1.0, **settings})
        made[f"tailorlm, {name}"] = Stepper(our_objective(base, injector, network, profiles))
    return made


def row(name: str, times: list[tuple[float, float]], plain: list[tuple[float, float]]) -> Row:
    """The wall's ratio against the target; the processor's, fairer on a shared machine, beside it."""
    ratios = [statistics.median(a[clock] / b[clock] for a, b in zip(times, plain, strict=True)) for clock in (0, 1)]
    spent = 1000 * statistics.median(time[0] for time in times)
    target = 1.25 if name.startswith("tailorlm") else None
    return name, f"{spent:.0f} ms a step; by processor time {ratios[1]:.3f} x", ratios[0], target


def main() -> None:
    """Builds the four, steps them in turns and prints the table."""
    form = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=form)
    parser.add_argument("--rows", type=int, default=64)
    parser.add_argument("--tokens", type=int, default=48, help="of a row, on average")
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--threads", type=int, default=2)
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    torch.manual_seed(0)
    base = Backbone(Qwen2ForCausalLM(Qwen2Config(**BASE)), None, "random-qwen2")
    steppers, batch = sides(base, asked.rows), random_batch(asked.rows, asked.tokens)
    turns = [[side.seconds(batch) for side in steppers.values()] for _ in range(asked.rounds + 1)][1:]
    columns = [list(column) for column in zip(*turns, strict=True)]
    print(f"training step: {asked.rows} rows, {int(batch.attention_mask.sum())} tokens, rank {RANK}")
    show([row(n, column, columns[0]) for n, column in zip(steppers, columns, strict=True)], "float32", asked.threads)


if __name__ == "__main__":
    main()
