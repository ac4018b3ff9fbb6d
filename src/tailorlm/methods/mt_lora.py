"""MT-LoRA: one LoRA trained on all training users' items, without user context.

Knows nothing of profiles. Source: P2P section 4 (MT-LoRA), reference section 3.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from math import ceil
from pathlib import Path

import torch
from torch import Tensor

from tailorlm.adapters.batch import Adapters
from tailorlm.backbone.inject import Injector
from tailorlm.backbone.rows import RowBatch
from tailorlm.data.records import Example, User
from tailorlm.methods import made_for
from tailorlm.methods.batches import BatchSettings, batches, count_tokens, passes
from tailorlm.methods.form import Form, lora, no_start
from tailorlm.methods.held import LOSS, check_monitor, held_batches, held_loss
from tailorlm.methods.lora import LoraSettings
from tailorlm.methods.objectives import LossSettings, SharedLora, SharedObjective
from tailorlm.methods.own_items import ItemSettings
from tailorlm.methods.source import Bench, Needs, Roster, Start
from tailorlm.methods.task_data import task_data
from tailorlm.training.examples import TrainingSet
from tailorlm.training.loop import Evaluate
from tailorlm.training.loop import train as run
from tailorlm.training.passes import steps
from tailorlm.training.samplers import Collated
from tailorlm.training.settings import TrainSettings

NEEDS = Needs(task_data=True, other_users=False, user_training=False)


@dataclass(frozen=True, kw_only=True)
class Settings:
    """One LoRA, its loss, its batches, its training.

    `items`: which items are trained on, and how they are written; all of them, plain, by default. `epochs`: so many
    passes over all rows, in batches of users x rows; 0: `train.steps` batches as `batch` draws them.
    """

    lora: LoraSettings = field(default_factory=LoraSettings)
    loss: LossSettings = field(default_factory=LossSettings)
    batch: BatchSettings = field(default_factory=BatchSettings)
    train: TrainSettings = field(default_factory=TrainSettings)
    items: ItemSettings = field(default_factory=ItemSettings)
    epochs: int = 0

    def __post_init__(self) -> None:
        """ValueError for fewer than no epochs, and for an L2, which is that of generated weights: there are none."""
        if self.epochs < 0:
            raise ValueError(f"epochs is {self.epochs}; valid is at least 0 (0: train.steps)")
        if self.loss.l2 not in (0.0, LossSettings().l2):
            raise ValueError(
                f"loss.l2 is {self.loss.l2}, and mt_lora has no such term: leave it out (train.weight_decay is there)"
            )


def form(settings: Settings, start: Form | None) -> Form:
    """One LoRA. ValueError with a start."""
    no_start(start)
    targets, rank = lora(settings.lora)
    return Form(kind="lora", targets=targets, rank=rank, each="everybody", scaling=settings.lora.scaling)


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
        """Train on the items of `users`; `held` users, if any, are evaluated meanwhile and never trained on.

        ValueError where no item makes a row.
        """
        check_monitor(self.settings.train)
        rows = self.rows(users)
        objective = SharedObjective(self.bench.backbone, self.injector, self.shared, self.settings.loss)
        stream, settings = self.pace(rows)
        evaluate = self.evaluation(held) if held else None
        about = made_for.training(self.bench.backbone, None, rows.rows)
        try:
            run(
                objective, stream, settings, directory, evaluate=evaluate, tokens=count_tokens, resume=resume,
                about=about,
            )  # fmt: skip
        finally:
            self.injector.clear()  # also after Ctrl-C: the model is others' too

    def rows(self, users: Sequence[User]) -> TrainingSet:
        """The rows of these users."""
        found = task_data(self.bench, users, self.settings.items, self.settings.train.seed)
        if not found.rows:
            asked = ", and items.asked wants answered queries" if self.settings.items.asked else ""
            raise ValueError(f"no item of {len(users)} users makes a row to train on{asked}")
        return found

    def pace(self, rows: TrainingSet) -> tuple[Collated[RowBatch], TrainSettings]:
        """The batches, and the training with as many steps as the epochs are."""
        batch, train = self.settings.batch, self.settings.train
        if not self.settings.epochs:
            return batches(self.bench, rows, rows.cut, batch, train.seed), train
        count = steps(self.settings.epochs, len(rows.rows), batch.users * batch.rows)
        return passes(self.bench, rows, batch, train.seed), replace(train, steps=ceil(count / train.accumulate))

    def evaluation(self, held: Sequence[User]) -> Evaluate:
        """The loss of the `held` users' items under the one LoRA as it is then."""
        rows = self.rows(held)
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
