"""Parameters of many users, each trained on the own history side by side, chunk by chunk, with finished chunks kept.

Knows nothing of what the parameters are: it is told how they become adapters. Source: design section 3 (users trained
side by side); issue 3.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from tailorlm.adapters.batch import Adapters
from tailorlm.backbone.inject import Injector
from tailorlm.backbone.loss import row_losses
from tailorlm.backbone.rows import collate
from tailorlm.data.records import User
from tailorlm.methods.own_items import ItemSettings
from tailorlm.methods.source import Bench
from tailorlm.methods.task_data import task_data
from tailorlm.training import checkpoints
from tailorlm.training.examples import TrainingSet
from tailorlm.training.many import ManySettings, Slice, train_many
from tailorlm.training.plan import Plan, plan_epochs

Params = dict[str, Tensor]
EVERY = ItemSettings()


def own_rows(bench: Bench, users: Sequence[User], items: ItemSettings = EVERY) -> TrainingSet:
    """The rows of each user's items, plain or in both versions as `items` says: every item that makes a pair, plain."""
    return task_data(bench, users, items, 0)


def check_items(items: ItemSettings) -> None:
    """ValueError for items that would be an adapter a task: a sharer has one."""
    if items.scope != "all":
        raise ValueError(f'items.scope is "{items.scope}", and a sharer has one LoRA: expected "all"')


def numbers(users: Sequence[User], rows: TrainingSet) -> list[list[int]]:
    """The numbers of each user's own rows (U), oldest first."""
    own: dict[str, list[int]] = {user.id: [] for user in users}
    for number, cut in enumerate(rows.cut):
        own[rows.cuts[cut].user_id].append(number)
    return list(own.values())


def own_plan(users: Sequence[User], rows: TrainingSet, *, epochs: int, batch: int, seed: int) -> Plan:
    """Each user's own rows in shuffled epochs."""
    return plan_epochs([user.id for user in users], numbers(users, rows), epochs=epochs, batch=batch, seed=seed)


def under(bench: Bench, task: Adapters | None) -> Callable[[int], AbstractContextManager[None]]:
    """A block in which so many rows run with the one adapter `task`; None: as the base."""
    if task is None:
        return lambda rows: nullcontext()
    injector = Injector(bench.backbone.model, task.space)
    return lambda rows: injector(task, torch.zeros(rows, dtype=torch.long))


def train_on(
    bench: Bench,
    rows: TrainingSet,
    plan: Plan,
    settings: ManySettings,
    params: Mapping[str, Tensor],
    put: Callable[[Params, Tensor], None],
) -> Params:
    """`params` (U, ...) trained as `plan` says; `put` sets those of users `index` (N,) on the model for N rows."""

    def loss(now: Params, part: Slice) -> Tensor:
        batch = collate([rows.rows[i] for i in part.rows], bench.backbone.pad_id, part.users)
        put(now, batch.index)
        return row_losses(bench.backbone, batch)

    return train_many(loss, params, plan, settings).params


@dataclass(frozen=True)
class InChunks:
    """Work on users in chunks, each chunk's result in a file of `directory`: `name`-00000.pt and so on.

    `about` is all that a result depends on besides the users and their rows, which `rows` makes; the digest of all is
    in the file.
    """

    directory: Path
    name: str
    about: Any
    rows: Callable[[Sequence[User]], TrainingSet]
    resume: bool

    def run(self, users: Sequence[User], at_once: int, make: Callable[[Sequence[User], TrainingSet], Params]) -> Params:
        """(U, ...) tensors of all users, on the CPU. With `resume` a finished chunk is read instead of made.

        ValueError where a file was made of other users, items, settings or weights, or is there without `resume`.
        """
        checkpoints.make_private(self.directory)
        if not self.resume and any(self.directory.glob(f"{self.name}-*.pt")):
            raise ValueError(f"{self.directory} has a run already: resume it, or choose another directory")
        parts = [self._one(start, users[start : start + at_once], make) for start in range(0, len(users), at_once)]
        return {name: torch.cat([part[name] for part in parts]) for name in parts[0]}

    def _one(self, start: int, users: Sequence[User], make: Callable[[Sequence[User], TrainingSet], Params]) -> Params:
        path = self.directory / f"{self.name}-{start:05d}.pt"
        rows = self.rows(users)
        mark = digest(self.about, users, rows.rows)
        if path.exists():
            found = checkpoints.read(path)
            if found["mark"] != mark:
                raise ValueError(
                    f"{path} was made of other users, items, settings or weights (of the base, or of what stands under "
                    "them); choose another directory"
                )
            params: Params = found["params"]
            return params
        params = {name: t.cpu() for name, t in make(users, rows).items()}
        checkpoints.write(path, {"mark": mark, "params": params})
        return params


def digest(*parts: Any) -> str:
    """A digest of plain values, dataclasses, adapters and tensors: equal only for equal contents."""
    found = hashlib.sha256()
    for part in parts:
        _feed(found, part)
    return found.hexdigest()


def _feed(found: Any, part: Any) -> None:
    if isinstance(part, Adapters):
        _feed(found, part.space)
        _feed(found, [part.tensors[name] for name in sorted(part.tensors)])
    elif isinstance(part, Tensor):
        found.update(str(tuple(part.shape)).encode())
        found.update(part.detach().float().cpu().contiguous().numpy().tobytes())
    elif isinstance(part, list | tuple):
        found.update(f"[{len(part)}".encode())
        for inner in part:
            _feed(found, inner)
    else:
        found.update(repr(part).encode())
