"""The demo's settings for each method: one place to read what was trained and how.

Knows nothing of users. Steps are fixed, not seconds, so that the same seed gives the same numbers.
"""

from tailorlm.methods import mt_lora, oppu, p2p
from tailorlm.methods.batches import BatchSettings
from tailorlm.methods.lora import LoraSettings
from tailorlm.methods.objectives import LossSettings
from tailorlm.training.many import ManySettings
from tailorlm.training.settings import TrainSettings

LORA = LoraSettings(targets=("v_proj", "down_proj"), rank=16, alpha=16.0)
"""What a site reads or writes into the residual stream: on the papers' q and v, users' unseen combinations of traits
lose 4 points more (docs/log.md)."""
PUBLISHED = LoraSettings(targets=("q_proj", "v_proj"), rank=16, alpha=16.0)
PLAIN = LossSettings(smoothing=0.0, neftune=0.0, l2=1e-3, dropout=0.0)


def shared(seed: int, steps: int) -> mt_lora.Settings:
    """MT-LoRA."""
    return mt_lora.Settings(
        lora=LORA, loss=PLAIN, batch=BatchSettings(users=64, rows=1),
        train=TrainSettings(steps=steps, learning_rate=2e-3, warmup=0.1, seed=seed, save_every=0),
    )  # fmt: skip


def tailored(seed: int, steps: int) -> p2p.Settings:
    """P2P over statements in fixed slots: the additive network, beginning at MT-LoRA."""
    return p2p.Settings(
        lora=LORA, loss=PLAIN, net=p2p.NetSettings(head="additive", components=6),
        cuts=p2p.CutSettings(count=3), batch=BatchSettings(users=64, rows=1),
        train=TrainSettings(steps=steps, learning_rate=3e-3, warmup=0.05, seed=seed, save_every=0),
    )  # fmt: skip


def published(seed: int, steps: int) -> p2p.Settings:
    """P2P as published: one vector of the whole summary of a user and task, no start, its regularisers."""
    return p2p.Settings(
        lora=PUBLISHED, loss=LossSettings(), net=p2p.NetSettings(pool="single", head="L", unit_norm=False),
        cuts=p2p.CutSettings(count=1, minimum=10, scope="task"), batch=BatchSettings(users=64, rows=1),
        train=TrainSettings(steps=steps, learning_rate=2e-4, seed=seed, save_every=0),
    )  # fmt: skip


def own(seed: int) -> oppu.Settings:
    """OPPU: a LoRA of the user's own over the task LoRA."""
    return oppu.Settings(lora=LORA, epochs=20, batch=16, seed=seed, train=ManySettings(learning_rate=5e-3, warmup=0.1))
