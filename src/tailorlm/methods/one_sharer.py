"""One other user's whole LoRA, lent as it is: the nearest sharer's by history, or the one that most users would choose.

Sharers and their LoRAs are those of Per-Pcs and PriME (sharers.py). What is lent is never the user's own. Meant as what
PRISP begins at (its figure 5). Knows nothing of what begins there. Source: PRISP section 4.3, figure 5 (the sharer that
PriME chooses for most target users); reference section 3.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from tailorlm.adapters.batch import Adapters
from tailorlm.backbone.inject import Injector
from tailorlm.data.records import Example, User
from tailorlm.methods import sharers
from tailorlm.methods.form import HISTORY, NOTHING, Form, over_start
from tailorlm.methods.sharers import Sharers, SharerSettings, carried, carried_space, task_lora
from tailorlm.methods.source import Bench, Needs, Roster, Start

NEEDS = Needs(task_data=False, other_users=True, user_training=False)


@dataclass(frozen=True, kw_only=True)
class Settings:
    """`choose` "nearest": the sharer with the most similar history. "most_chosen": for everybody the one that is
    among the `nearest` most similar ones of most training users, as PriME chooses; who is that sharer gets the next.
    """

    sharers: SharerSettings = field(default_factory=SharerSettings)
    choose: Literal["nearest", "most_chosen"] = "nearest"
    nearest: int = 3
    seed: int = 0

    def __post_init__(self) -> None:
        """Raises ValueError with the field, the value and what would be valid."""
        if self.nearest < 1:
            raise ValueError(f"nearest is {self.nearest}; valid is at least 1")


def form(settings: Settings, start: Form | None) -> Form:
    """A LoRA of the task's and the sharers' ranks. ValueError for a start that is no LoRA for all at their places."""
    own = over_start(start, settings.sharers.lora, "sharers.lora")
    return replace(own, reads=HISTORY if settings.choose == "nearest" else NOTHING)


class Source:
    """`sharers` and `chosen`, how often each is, are there after `prepare`; the task LoRA in front on export."""

    def __init__(self, bench: Bench, settings: Settings, start: Start | None = None) -> None:
        """`start`: the task LoRA, one for all, on the sharers' sites; None: the base alone. ValueError for another."""
        self.bench, self.settings = bench, settings
        own = settings.sharers.lora.space(bench.backbone)
        self.task = task_lora(start, own)
        self.injector = Injector(bench.backbone.model, carried_space(self.task, own))
        self.sharers: Sharers | None = None
        self.chosen: Tensor | None = None

    def prepare(self, users: Sequence[User], directory: Path, resume: bool = False, held: Sequence[User] = ()) -> None:
        """Train sharers of `users`, and count for how many of these each is chosen; `held` users decide nothing."""
        vectors = sharers.history_vectors(self.bench, users)
        self.sharers = sharers.train_sharers(
            self.bench, self.injector, self.task, users, self.settings.sharers, self.settings.seed, directory, resume,
            vectors,
        )  # fmt: skip
        near = self.sharers.likeness([user.id for user in users], vectors)
        some = near.topk(min(self.settings.nearest, near.shape[1]), dim=1)
        found = some.indices[some.values.isfinite()]  # of few sharers, a sharer's own place is among the nearest
        self.chosen = torch.bincount(found, minlength=near.shape[1])

    def enrol(self, users: Sequence[User], tasks: Sequence[str] = ()) -> Roster:
        """Each user's sharer; a user without items, like whom nobody is, gets the first. ValueError for a user who is
        the only sharer; RuntimeError before `prepare`.
        """
        lent = self.lent()
        ids = [user.id for user in users]
        lent.check_others(ids)
        likeness = lent.likeness(ids, sharers.history_vectors(self.bench, users))
        if self.settings.choose == "most_chosen" and self.chosen is not None:
            likeness = torch.where(likeness.isfinite(), self.chosen.to(likeness), likeness)
        places: dict[tuple[str, str | None], int] = {
            (id, None): int(row.argmax()) for id, row in zip(ids, likeness, strict=True)
        }
        return Roster(carried(self.task, lent.adapters), places, shared=True)

    def lent(self) -> Sharers:
        """The sharers. RuntimeError before `prepare`."""
        if self.sharers is None:
            raise RuntimeError("one_sharer has no sharers yet: call prepare")
        return self.sharers

    def adapters(self, requests: Sequence[Example], roster: Roster) -> tuple[Adapters | None, Tensor]:
        """The adapter lent to each request's user (N)."""
        return roster.adapters, torch.tensor(roster.index(requests))
