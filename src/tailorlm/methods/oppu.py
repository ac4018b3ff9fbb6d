"""OPPU: one PEFT per user, trained on the user's own history, many users side by side.

A task LoRA, the same for everybody and frozen, may stand under the users' own. Knows nothing of profiles.
Source: Tan et al. 2024 through P2P section 4; reference section 3 (task LoRA first, then a LoRA on q and v per user).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from tailorlm.adapters.batch import Adapters
from tailorlm.adapters.lora import LoraSpace
from tailorlm.backbone.inject import Injector
from tailorlm.backbone.loss import row_losses
from tailorlm.backbone.rows import collate
from tailorlm.data.records import Example, User
from tailorlm.methods.batches import all_items
from tailorlm.methods.lora import LoraSettings
from tailorlm.methods.source import Bench, Needs, Roster, Start
from tailorlm.training.examples import TrainingSet
from tailorlm.training.many import ManySettings, Slice, train_many
from tailorlm.training.plan import Plan, plan_epochs

NEEDS = Needs(task_data=True, other_users=False, user_training=True)


@dataclass(frozen=True, kw_only=True)
class Settings:
    """OPPU's own settings: 2 epochs, batches of 16 items, 1e-4."""

    lora: LoraSettings = field(default_factory=LoraSettings)
    epochs: int = 2
    batch: int = 16
    seed: int = 0
    train: ManySettings = field(default_factory=ManySettings)


class Source:
    """Enrolling trains; the exported adapter is the task LoRA and the user's, side by side along the rank."""

    def __init__(self, bench: Bench, settings: Settings, start: Start | None = None) -> None:
        """`start`: one LoRA (the task LoRA) on the same sites, frozen under the users' own; None starts at the base."""
        task = start(()) if start is not None else None
        self.bench, self.settings, self.task = bench, settings, task
        self.own = settings.lora.space(bench.backbone)
        rank = self.own.rank + (_rank(task) if task is not None else 0)
        self.space = LoraSpace(self.own.sites, rank)
        self.injector = Injector(bench.backbone.model, self.space)

    def prepare(self, users: Sequence[User], directory: Path, resume: bool = False, held: Sequence[User] = ()) -> None:
        """Nothing: the task LoRA is given. `held` users decide nothing: each user's training is the user's own."""

    def enrol(self, users: Sequence[User], tasks: Sequence[str] = ()) -> Roster:
        """Train every user's LoRA on the user's own items; a user without items keeps the task LoRA alone."""
        rows = all_items(self.bench, users)
        plan = self.plan(users, rows)
        trained = train_many(self.losses(rows), self.fresh(len(users)), plan, self.settings.train)
        self.injector.clear()
        return Roster(self.joined(trained.params), {(user.id, None): n for n, user in enumerate(users)})

    def plan(self, users: Sequence[User], rows: TrainingSet) -> Plan:
        """Each user's own rows in shuffled epochs."""
        own: dict[str, list[int]] = {user.id: [] for user in users}
        for number, cut in enumerate(rows.cut):
            own[rows.cuts[cut].user_id].append(number)
        settings = self.settings
        return plan_epochs(
            list(own), list(own.values()), epochs=settings.epochs, batch=settings.batch, seed=settings.seed
        )

    def fresh(self, users: int) -> dict[str, Tensor]:
        """PEFT's start for U users, (U, ...): A Kaiming-uniform, the same for all; B zero; without the scale."""
        generator = torch.Generator().manual_seed(self.settings.seed)
        start = {}
        for name, shape in self.own.shapes().items():
            value = torch.zeros(shape)
            if name.endswith(".A"):
                value.uniform_(-1, 1, generator=generator).mul_(shape[-1] ** -0.5)
            start[name] = value.expand(users, *shape).to(self.bench.backbone.device)
        return start

    def joined(self, params: dict[str, Tensor]) -> Adapters:
        """Users' parameters (U, ...) as effective adapters: B scaled, the task's rank rows before the user's."""
        scale = self.settings.lora.scaling
        tensors = {name: p * scale if name.endswith(".B") else p for name, p in params.items()}
        if self.task is None:
            return Adapters(self.space, tensors)
        users = len(next(iter(params.values())))
        return Adapters(self.space, {name: _stack(name, self.task, own, users) for name, own in tensors.items()})

    def losses(self, rows: TrainingSet):  # type: ignore[no-untyped-def]
        """The loss function for `train_many` over `rows`."""

        def loss(params: dict[str, Tensor], part: Slice) -> Tensor:
            batch = collate([rows.rows[i] for i in part.rows], self.bench.backbone.pad_id, part.users)
            self.injector.set(self.joined(params), batch.index)
            return row_losses(self.bench.backbone, batch)

        return loss

    def adapters(self, requests: Sequence[Example], roster: Roster) -> tuple[Adapters | None, Tensor]:
        """Each request's own user's adapter (N)."""
        return roster.adapters, torch.tensor(roster.index(requests))


def _rank(task: Adapters) -> int:
    if not isinstance(task.space, LoraSpace) or len(task) != 1:
        raise ValueError(f"the task adapter must be one LoRA, got {len(task)} of kind {task.space.kind}")
    return task.space.rank


def _stack(name: str, task: Adapters, own: Tensor, users: int) -> Tensor:
    """(U, L, r_t + r_u, I) or (U, L, O, r_t + r_u)."""
    shared = task.tensors[name].expand(users, *task.tensors[name].shape[1:])
    return torch.cat([shared, own], 2 if name.endswith(".A") else 3)
