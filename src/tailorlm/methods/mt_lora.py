"""MT-LoRA: one LoRA trained on all training users' items, without user context.

Knows nothing of profiles. Source: P2P section 4 (MT-LoRA), reference section 3.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from tailorlm.adapters.batch import Adapters
from tailorlm.backbone.inject import Injector
from tailorlm.data.records import Example, User
from tailorlm.methods.batches import BatchSettings, all_items, batches, count_tokens
from tailorlm.methods.held import LOSS, check_monitor, held_batches, held_loss
from tailorlm.methods.lora import LoraSettings
from tailorlm.methods.objectives import LossSettings, SharedLora, SharedObjective
from tailorlm.methods.source import Bench, Needs, Roster, Start
from tailorlm.training.loop import Evaluate
from tailorlm.training.loop import train as run
from tailorlm.training.settings import TrainSettings

NEEDS = Needs(task_data=True, other_users=True, user_training=False)


@dataclass(frozen=True, kw_only=True)
class Settings:
    """One LoRA, its loss, its batches, its training."""

    lora: LoraSettings = field(default_factory=LoraSettings)
    loss: LossSettings = field(default_factory=LossSettings)
    batch: BatchSettings = field(default_factory=BatchSettings)
    train: TrainSettings = field(default_factory=TrainSettings)


class Source:
    """One adapter for everybody; `shared` is the LoRA being trained."""

    def __init__(self, bench: Bench, settings: Settings, start: Start | None = None) -> None:
        """ValueError with a `start`: MT-LoRA begins at the base."""
        if start is not None:
            raise ValueError("mt_lora begins at the base; it takes no other source's adapters")
        self.bench, self.settings = bench, settings
        space = settings.lora.space(bench.backbone)
        self.injector = Injector(bench.backbone.model, space)
        torch.manual_seed(settings.train.seed)
        self.shared = SharedLora(space, settings.lora.scaling).to(bench.backbone.device)

    def prepare(self, users: Sequence[User], directory: Path, resume: bool = False, held: Sequence[User] = ()) -> None:
        """Train on every item of `users`; `held` users, if any, are evaluated meanwhile and never trained on."""
        check_monitor(self.settings.train)
        rows = all_items(self.bench, users, self.settings.train.seed)
        objective = SharedObjective(self.bench.backbone, self.injector, self.shared, self.settings.loss)
        stream = batches(self.bench, rows, rows.cut, self.settings.batch, self.settings.train.seed)
        evaluate = self.evaluation(held) if held else None
        try:
            run(
                objective, stream, self.settings.train, directory, evaluate=evaluate, tokens=count_tokens, resume=resume
            )
        finally:
            self.injector.clear()  # also after Ctrl-C: the model is others' too

    def evaluation(self, held: Sequence[User]) -> Evaluate:
        """The loss of the `held` users' items under the one LoRA as it is then."""
        rows = all_items(self.bench, held, self.settings.train.seed)
        asked = held_batches(self.bench, rows, [0] * len(rows.rows), self.settings.train.seed)
        return lambda: {LOSS: held_loss(self.bench, self.injector, asked, lambda _: self.shared())}

    def enrol(self, users: Sequence[User], tasks: Sequence[str] = ()) -> Roster:
        """The one adapter, the same for each user."""
        return Roster(self.of_all(), {(user.id, None): 0 for user in users}, shared=True)

    @torch.no_grad()
    def of_all(self, tasks: Sequence[str] = ()) -> Adapters:
        """The one adapter, whatever the tasks."""
        shared: Adapters = self.shared()
        return shared.detach()

    def adapters(self, requests: Sequence[Example], roster: Roster) -> tuple[Adapters | None, Tensor]:
        """The shared adapter for every request (N)."""
        return roster.adapters, torch.tensor(roster.index(requests))
