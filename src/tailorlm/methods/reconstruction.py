"""Training a hypernetwork to reproduce adapters that were trained one by one: targets, distances, batches.

Knows nothing of texts or rows of text. Source: Text-to-LoRA section 3 (reconstruction: L1 between generated and
trained adapters, on z-scored entries or on delta W); reference section 2.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import Parameter

from tailorlm.adapters.batch import Adapters
from tailorlm.adapters.lora import LoraSpace
from tailorlm.backbone.inject import Injector
from tailorlm.backbone.loss import row_losses
from tailorlm.backbone.rows import Row, collate
from tailorlm.hypernet.kinds import Network
from tailorlm.methods import made_for
from tailorlm.methods.described import Draw, TaskRows
from tailorlm.methods.objectives import SharedLora
from tailorlm.methods.side_by_side import digest
from tailorlm.methods.source import Bench
from tailorlm.profiles.table import VectorTable
from tailorlm.training import checkpoints
from tailorlm.training.many import ManySettings, RowLosses, Slice, train_many
from tailorlm.training.plan import plan_epochs
from tailorlm.training.settings import require

TARGETS = "targets.pt"
FLOOR = 0.1
"""Entries that differ less between tasks than this share of their tensor's own mean spread count as if by it."""

Distance = Callable[[Adapters, Adapters], Tensor]
"""(generated (N), targets (N)) -> (N,)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetSettings:
    """How the adapter of each task is trained, all side by side: `epochs` over its examples, `batch` a step.

    ValueError for less than one pass or example.
    """

    epochs: int = 5
    batch: int = 16
    train: ManySettings = field(default_factory=lambda: ManySettings(learning_rate=5e-3, warmup=0.1))

    def __post_init__(self) -> None:
        for name in ("epochs", "batch"):
            require(self, name, getattr(self, name) >= 1, "at least 1", "targets")


def trained_adapters(
    bench: Bench, injector: Injector, rows: TaskRows, start: Adapters, settings: TargetSettings, seed: int
) -> Adapters:
    """A LoRA for each task, all from the one `start`: only LoRAs of one start are alike entry by entry."""
    names = [task.name for task in rows.tasks]
    plan = plan_epochs(names, rows.owned(), epochs=settings.epochs, batch=settings.batch, seed=seed)
    params = {name: tensor.expand(len(names), *tensor.shape[1:]) for name, tensor in start.detach().tensors.items()}
    trained = train_many(losses(bench, injector, start.space, rows.rows.rows), params, plan, settings.train)
    injector.clear()
    return Adapters(start.space, trained.params)


def losses(bench: Bench, injector: Injector, space: Any, rows: Sequence[Row]) -> RowLosses:
    """The loss of rows under effective adapters, for `train_many`."""

    def loss(params: dict[str, Tensor], part: Slice) -> Tensor:
        batch = collate([rows[i] for i in part.rows], bench.backbone.pad_id, part.users)
        injector.set(Adapters(space, params), batch.index)
        return row_losses(bench.backbone, batch)

    return loss


def fresh(space: LoraSpace, seed: int, device: torch.device) -> Adapters:
    """One LoRA with PEFT's start: A Kaiming-uniform, B zero."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        one: Adapters = SharedLora(space, 1.0)()
    return one.detach().to(device)


def check_targets(goal: str, space: LoraSpace, tasks: int, targets: Adapters | None) -> None:
    """ValueError for LoRAs that this goal does not need, of other sites or rank, or not one a task."""
    if targets is None:
        return
    if goal not in DISTANCES:
        raise ValueError(f"goal {goal!r} trains on tasks' rows; trained LoRAs are for {', '.join(DISTANCES)}")
    if len(targets) != tasks or targets.space.shapes() != space.shapes():
        raise ValueError(
            f"{tasks} tasks need as many LoRAs with tensors {space.shapes()}, "
            f"got {len(targets)} with {targets.space.shapes()}"
        )


def about(
    bench: Bench, rows: TaskRows, start: Adapters | None, settings: TargetSettings, seed: int, given: Adapters | None
) -> str:
    """A digest of all that targets depend on: the base, the tasks' examples, where they begin, how they are trained,
    or the LoRAs that are `given`.
    """
    return digest(made_for.base(bench.backbone), rows.rows.rows, rows.task, start, settings, seed, given)


def kept(
    directory: Path, space: LoraSpace, names: Sequence[str], mark: str, resume: bool, make: Callable[[], Adapters]
) -> Adapters:
    """The targets of a run, a LoRA a task of `names`: made once and kept, so that a resumed run aims at the same.

    ValueError where the folder has targets already and `resume` is False, or they are other tasks', or of another
    `mark` (`about`).
    """
    path = directory / TARGETS
    if path.exists() and not resume:
        raise ValueError(f"{directory} has a run already: resume it, or choose another directory")
    if not path.exists():
        checkpoints.make_private(directory)
        made = {name: tensor.cpu() for name, tensor in make().tensors.items()}
        checkpoints.write(path, {"tasks": list(names), "mark": mark, "tensors": made})
    found = checkpoints.read(path)
    if found["tasks"] != list(names):
        raise ValueError(f"{path} is of {len(found['tasks'])} tasks which are not these {len(names)}: choose another")
    if found.get("mark") != mark:
        raise ValueError(
            f"{path} was made of other examples, `targets` settings, start or base; choose another directory, or "
            "delete the file to train the tasks' LoRAs anew"
        )
    return Adapters(space, found["tensors"])


def mean(adapters: Adapters) -> Adapters:
    """The mean of all, as one adapter."""
    return Adapters(adapters.space, {name: t.mean(0, keepdim=True) for name, t in adapters.tensors.items()})


@torch.no_grad()
def set_gains(network: Network, targets: Adapters) -> None:
    """Fixes the heads' gains at the targets' spread, a rank row each: what the heads then make are z-scores.

    A step of a fixed size would otherwise be far larger than what tells tasks apart. A network without gains
    (`unit_norm` false, or additive) stays as it is, and learns more slowly.
    """
    assert isinstance(network.space, LoraSpace)
    for group, pair in zip(network.space.groups, network.factors(), strict=True):
        b = targets.tensors[f"{group.name}.B"].transpose(2, 3)
        for factor, rows in ((pair.a, targets.tensors[f"{group.name}.A"]), (pair.b, b)):
            if factor.gain is not None:
                factor.gain.copy_(spread(rows)[0].mean((0, 2))[:, None] / factor.scaling)
                factor.gain.requires_grad_(False)


def z_scored(targets: Adapters) -> Distance:
    """L1 of entries in units of their spread over the tasks: every entry of A and B counts alike."""
    spreads = {name: spread(t) for name, t in targets.tensors.items()}

    def distance(made: Adapters, wanted: Adapters) -> Tensor:
        return _mean([(made.tensors[n] - wanted.tensors[n]) / s for n, s in spreads.items()])

    return distance


def on_delta_w(targets: Adapters) -> Distance:
    """L1 of delta W = B A in units of each group's mean spread over the tasks: holds O x I numbers a site and row."""
    units = {name: t.std(0, correction=0).mean().clamp_min(1e-12) for name, t in deltas(targets).items()}

    def distance(made: Adapters, wanted: Adapters) -> Tensor:
        ours, theirs = deltas(made), deltas(wanted)
        return _mean([(ours[n] - theirs[n]) / unit for n, unit in units.items()])

    return distance


DISTANCES: Mapping[str, Callable[[Adapters], Distance]] = {"z_score": z_scored, "delta_w": on_delta_w}


def spread(tensor: Tensor) -> Tensor:
    """(U, ...) -> (1, ...): each entry's standard deviation over U, with a floor against entries that never move."""
    deviation = tensor.std(0, correction=0, keepdim=True)
    return deviation.clamp_min(FLOOR * float(deviation.mean())).clamp_min(1e-12)


def deltas(adapters: Adapters) -> dict[str, Tensor]:
    """delta W of each group, (U, L, O, I)."""
    assert isinstance(adapters.space, LoraSpace)
    tensors = adapters.tensors
    return {g.name: tensors[f"{g.name}.B"] @ tensors[f"{g.name}.A"] for g in adapters.space.groups}


def _mean(apart: Sequence[Tensor]) -> Tensor:
    """The mean absolute entry of each row over all tensors (N, ...): (N,)."""
    total = torch.stack([t.abs().flatten(1).sum(1) for t in apart]).sum(0)
    return total / sum(t[0].numel() for t in apart)


@dataclass(frozen=True, slots=True)
class Pairs:
    """N descriptions and the tasks whose adapters they should give; `ids` are the tasks' names."""

    description: Tensor
    task: Tensor
    ids: tuple[str, ...]


class PairStream:
    """Endless batches of `size` different tasks (or all), each with a description drawn from its own."""

    def __init__(self, rows: TaskRows, size: int, seed: int) -> None:
        self._draw, self._names = Draw(rows, seed), tuple(task.name for task in rows.tasks)
        self._size = min(size, len(self._names))

    def __next__(self) -> Pairs:
        """The next batch."""
        tasks = self._draw.rng.permutation(len(self._names))[: self._size]
        names = tuple(self._names[task] for task in tasks)
        return Pairs(torch.from_numpy(self._draw(tasks)), torch.from_numpy(tasks), names)

    def state_dict(self) -> dict[str, Any]:
        return {"draw": self._draw.rng.bit_generator.state}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._draw.rng.bit_generator.state = state["draw"]


class ReconstructionObjective:
    """The distance of each description's generated adapter from its task's trained one."""

    def __init__(self, hypernet: Network, table: VectorTable, targets: Adapters, distance: Distance) -> None:
        self.hypernet, self.table, self.targets, self.distance = hypernet, table, targets, distance

    def parameters(self) -> Iterable[Parameter]:
        return self.hypernet.parameters()

    def loss(self, batch: Pairs) -> tuple[Tensor, Mapping[str, float | Tensor]]:
        """(N,) distances."""
        self.hypernet.train()
        made = self.hypernet(*self.table.gather(batch.description))
        return self.distance(made, self.targets[batch.task]), {}

    def state_dict(self) -> dict[str, Any]:
        return self.hypernet.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> Any:
        return self.hypernet.load_state_dict(state)
