"""Per-Pcs: a user's LoRA put together from pieces of sharers' LoRAs, module by module, without any training.

`prepare` chooses sharers among the training users, trains their LoRAs over the task LoRA and then their gates; `enrol`
runs a user's history through base and task LoRA and merges the pieces whose gates fit. Knows nothing of profiles.
Source: Per-Pcs (Tan et al., 2024); PRISP appendix B and table 7; reference section 3.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
from torch import Tensor

from tailorlm.adapters.batch import Adapters
from tailorlm.backbone.inject import Injector
from tailorlm.data.records import Example, User
from tailorlm.methods import sharers
from tailorlm.methods.form import HISTORY, Form, over_start
from tailorlm.methods.gates import GateSettings, train_gates
from tailorlm.methods.pieces import Pieces, user_weights
from tailorlm.methods.sharers import Sharers, SharerSettings, carried, carried_space, merged, task_lora
from tailorlm.methods.side_by_side import numbers, own_rows, under
from tailorlm.methods.source import Bench, Needs, Roster, Start
from tailorlm.training.many import ManySettings

NEEDS = Needs(task_data=True, other_users=True, user_training=False)


@dataclass(frozen=True, kw_only=True)
class Settings:
    """`top` sharers a module; `batch` items of a user's history score the pieces together."""

    sharers: SharerSettings = field(default_factory=SharerSettings)
    gates: GateSettings = field(default_factory=GateSettings)
    top: int = 3
    batch: int = 16
    rows_at_once: int = 64
    seed: int = 0

    def __post_init__(self) -> None:
        """Raises ValueError with the field, the value and what would be valid."""
        if min(self.top, self.batch, self.rows_at_once) < 1:
            raise ValueError(
                f"top is {self.top}, batch {self.batch}, rows_at_once {self.rows_at_once}; valid is at least 1"
            )


def _table_7(task: str, gates: tuple[int, int, float], top: int, batch: int) -> Settings:
    """A row of the columns "Sharer Gate" (batch, steps, rate) and "Per-Pcs" (top-k, batch)."""
    size, steps, rate = gates
    how = GateSettings(steps=steps, batch=size, items=sharers.BOTH, train=ManySettings(learning_rate=rate))
    return Settings(sharers=sharers.PUBLISHED[task], gates=how, top=top, batch=batch)


PUBLISHED: Mapping[str, Settings] = {
    "lamp_1": _table_7("lamp_1", (6, 100, 1e-5), 1, 16),
    "lamp_2m": _table_7("lamp_2m", (6, 100, 2e-5), 3, 16),
    "lamp_3": _table_7("lamp_3", (4, 100, 1e-5), 1, 6),
    "lamp_4": _table_7("lamp_4", (6, 50, 2e-5), 1, 16),
    "lamp_5": _table_7("lamp_5", (6, 50, 2e-5), 1, 10),
    "lamp_7": _table_7("lamp_7", (6, 50, 2e-5), 2, 16),
}
"""PRISP's table 7 by task; its LaMP-2 is movie tagging."""


def form(settings: Settings, start: Form | None) -> Form:
    """A LoRA of the task's and the sharers' ranks. ValueError for a start that is no LoRA for all at their places."""
    own = over_start(start, settings.sharers.lora, "sharers.lora")
    return replace(own, reads=HISTORY)


class Source:
    """Merged pieces of `self.sharers` by the gates in `self.pieces`; the task LoRA in front of them on export."""

    def __init__(self, bench: Bench, settings: Settings, start: Start | None = None) -> None:
        """`start`: the task LoRA, one for all, on the sharers' sites; None: the base alone. ValueError for another."""
        self.bench, self.settings = bench, settings
        self.own = settings.sharers.lora.space(bench.backbone)
        self.task = task_lora(start, self.own)
        self.space = carried_space(self.task, self.own)
        self.injector = Injector(bench.backbone.model, self.space)
        self.sharers: Sharers | None = None
        self.pieces: Pieces | None = None

    def prepare(self, users: Sequence[User], directory: Path, resume: bool = False, held: Sequence[User] = ()) -> None:
        """Train sharers of `users` and their gates; `held` users share nothing and decide nothing."""
        how, seed = self.settings.sharers, self.settings.seed
        self.sharers = sharers.train_sharers(self.bench, self.injector, self.task, users, how, seed, directory, resume)
        by_id = {user.id: user for user in users}
        gates = train_gates(
            self.bench, [by_id[id] for id in self.sharers.ids], carried(self.task, self.sharers.adapters),
            self.own.rank, self.settings.gates, seed, how.at_once, directory, resume,
        )  # fmt: skip
        self.pieces = Pieces.of(self.own.groups, gates)

    @torch.no_grad()
    def enrol(self, users: Sequence[User], tasks: Sequence[str] = ()) -> Roster:
        """Pieces for every user, all at once; a user without items that make a pair keeps the task LoRA alone.

        Nobody gets own pieces. ValueError for a user who is the only sharer.
        """
        if self.sharers is None:
            raise RuntimeError("per_pcs has no sharers yet: call prepare")
        self.sharers.check_others([user.id for user in users])
        own = merged(self.sharers.adapters, self.weights(users))
        return Roster(carried(self.task, own), {(user.id, None): n for n, user in enumerate(users)})

    def weights(self, users: Sequence[User]) -> dict[str, Tensor]:
        """group name -> (U, L, P): how much of each sharer's piece each user gets at each site."""
        if self.pieces is None or self.sharers is None:
            raise RuntimeError("per_pcs has no gates yet: call prepare")
        rows, how = own_rows(self.bench, users), self.settings
        return user_weights(
            self.bench.backbone, self.pieces, rows.rows, numbers(users, rows),
            how.top, how.batch, how.rows_at_once, under(self.bench, self.task),
            self.sharers.own([user.id for user in users]),
        )  # fmt: skip

    def adapters(self, requests: Sequence[Example], roster: Roster) -> tuple[Adapters | None, Tensor]:
        """Each request's own user's adapter (N)."""
        return roster.adapters, torch.tensor(roster.index(requests))
