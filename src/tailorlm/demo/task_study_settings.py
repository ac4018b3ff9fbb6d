"""What the study of small tasks trains and how: one place to read it.

Knows nothing of tasks. Steps are fixed, not seconds, so that the same seed gives the same numbers.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from tailorlm.demo.settings import LORA, PLAIN
from tailorlm.methods import mt_lora, text_to_lora
from tailorlm.methods.batches import BatchSettings
from tailorlm.methods.reconstruction import TargetSettings
from tailorlm.training.many import ManySettings
from tailorlm.training.settings import TrainSettings

__all__ = ["LORA", "QUICK", "Plan", "networks", "shared", "targets"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How much of everything: minutes on two cores by default. `every` keeps one task in so many."""

    examples: int = 64
    queries: int = 6
    every: int = 1
    mt_steps: int = 150
    target_epochs: int = 5
    trunk_steps: int = 700
    additive_steps: int = 500
    reconstruction_steps: int = 1000


QUICK = Plan(
    examples=16, queries=2, every=8, mt_steps=3, target_epochs=1, trunk_steps=3, additive_steps=3,
    reconstruction_steps=3,
)  # fmt: skip
ROWS = BatchSettings(users=64, rows=1, tasks=4)
TRUNK = text_to_lora.NetSettings(pool="facets", head="L", latent=128, head_in=512, dropout=0.0, components=64)
ADDITIVE = text_to_lora.NetSettings(pool="facets", head="additive", components=64)


def shared(seed: int, steps: int) -> mt_lora.Settings:
    """MT-LoRA over the tasks: one LoRA that is told nothing."""
    return mt_lora.Settings(lora=LORA, loss=PLAIN, batch=ROWS, train=_train(seed, steps, 2e-3))


def targets(plan: Plan) -> TargetSettings:
    """A LoRA a task, from MT-LoRA."""
    return TargetSettings(
        epochs=plan.target_epochs, batch=16, train=ManySettings(learning_rate=5e-3, warmup=0.1)
    )  # fmt: skip


def networks(seed: int, plan: Plan) -> Mapping[str, text_to_lora.Settings]:
    """The hypernetworks by the name of their row: the trunk end to end and by reconstruction, the additive one."""
    return {
        "t2l": _network("sft", TRUNK, _train(seed, plan.trunk_steps, 1e-4)),
        "t2l_additive": _network("sft", ADDITIVE, _train(seed, plan.additive_steps, 3e-3)),
        "t2l_z_score": _network("z_score", TRUNK, _train(seed, plan.reconstruction_steps, 1e-3)),
        "t2l_delta_w": _network("delta_w", TRUNK, _train(seed, plan.reconstruction_steps, 1e-3)),
    }


def _network(
    goal: Literal["sft", "z_score", "delta_w"], net: text_to_lora.NetSettings, train: TrainSettings
) -> text_to_lora.Settings:
    return text_to_lora.Settings(
        tasks="users", goal=goal, lora=LORA, net=net, loss=PLAIN, batch=ROWS, train=train
    )  # fmt: skip


def _train(seed: int, steps: int, rate: float) -> TrainSettings:
    return TrainSettings(steps=steps, learning_rate=rate, warmup=0.1, seed=seed, save_every=0)
