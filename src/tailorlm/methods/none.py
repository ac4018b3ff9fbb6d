"""No adapter: the base model as it is. Knows nothing of users. Source: the papers' non-personalised baseline."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from tailorlm.adapters.batch import Adapters
from tailorlm.data.records import Example, User
from tailorlm.methods.form import Form, no_start
from tailorlm.methods.source import Bench, Needs, Roster, Start

NEEDS = Needs(task_data=False, other_users=False, user_training=False)


@dataclass(frozen=True, slots=True)
class Settings:
    """Nothing to set."""


def form(settings: Settings, start: Form | None) -> Form:
    """No adapters. ValueError with a start: nothing begins anywhere."""
    no_start(start)
    return Form(kind="none", each="everybody")


class Source:
    """The base model for everybody."""

    def __init__(self, bench: Bench, settings: Settings, start: Start | None = None) -> None:
        """ValueError with a `start`: nothing begins anywhere."""
        if start is not None:
            raise ValueError("none has no adapters, so none that begin at others")
        self.injector = None

    def prepare(self, users: Sequence[User], directory: Path, resume: bool = False, held: Sequence[User] = ()) -> None:
        """Nothing to prepare, and so nothing to evaluate `held` users for."""

    def enrol(self, users: Sequence[User], tasks: Sequence[str] = ()) -> Roster:
        """Everybody, without an adapter."""
        return Roster(None, {(user.id, None): -1 for user in users})

    def adapters(self, requests: Sequence[Example], roster: Roster) -> tuple[Adapters | None, Tensor]:
        """No adapter for any request (N)."""
        return None, torch.full((len(requests),), -1)
