"""Small tasks told in words, short trainings of Text-to-LoRA on them, and what an adapter is worth on their rows."""

from dataclasses import replace

import torch

from tailorlm.backbone.loss import row_losses
from tailorlm.backbone.rows import collate
from tailorlm.data.records import Interaction, User
from tailorlm.methods import reconstruction, text_to_lora
from tailorlm.methods.batches import BatchSettings
from tailorlm.methods.described import task_rows
from tailorlm.methods.objectives import LossSettings, SharedLora
from tailorlm.training.many import ManySettings
from tailorlm.training.settings import TrainSettings

PLAIN = LossSettings(smoothing=0.0, neftune=0.0, l2=0.0, dropout=0.0)
TRAIN = TrainSettings(steps=6, learning_rate=5e-3, warmup=0.0, save_every=2, line_seconds=1e9)
NEWS = ("rain", "snow", "fire", "a nurse", "the mayor", "a bakery")


def settings(steps=6, goal="sft", pool="single", head="L", tasks="users", **more):
    net = text_to_lora.NetSettings(pool=pool, head=head, latent=16, head_in=24, dropout=0.0, components=6)
    targets = reconstruction.TargetSettings(epochs=2, batch=4, train=ManySettings(learning_rate=2e-2))
    return text_to_lora.Settings(
        tasks=tasks, goal=goal, net=net, loss=PLAIN, targets=targets, batch=BatchSettings(users=8, rows=1),
        train=replace(TRAIN, steps=steps, **more),
    )  # fmt: skip


def task(name, mark, wordings=3):
    """A small task: the news in this mark."""
    items = tuple(Interaction(f"Write a headline: {n} opens", f"{n}{mark}", None, "headline") for n in NEWS)
    return User(name, items, "\n".join(f"write {name} with {mark} in wording {n}" for n in range(wordings)))


def start(bench):
    torch.manual_seed(1)
    shared = SharedLora(text_to_lora.Settings().lora.space(bench.backbone), 1.0)
    for value in shared.values:
        torch.nn.init.normal_(value, std=0.1)
    return shared().detach()


def loss_of(bench, source, tasks, adapters, shift):
    rows = task_rows(bench, source.tasks(tasks))
    batch = collate(rows.rows.rows, bench.backbone.pad_id, [(t + shift) % len(tasks) for t in rows.task])
    with torch.no_grad(), source.injector(adapters, batch.index):
        return float(row_losses(bench.backbone, batch).mean())
