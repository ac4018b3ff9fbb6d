"""A given LoRA trained further on task data, the same for everybody: PRISP's full-data mode, a task LoRA on 50 rows.

Knows nothing of users' adapters. Source: PRISP section 4.2 (full data: the generated anchor is trained further),
figure 5 (50 rows), table 7 (task adaptation: batches of 6, 3 epochs, 1e-4).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from torch import Tensor

from tailorlm.adapters.batch import Adapters
from tailorlm.adapters.lora import LoraSpace
from tailorlm.backbone.inject import Injector
from tailorlm.data.records import User
from tailorlm.data.splits_few_shot import task_rows
from tailorlm.methods import made_for
from tailorlm.methods.bridge import raw
from tailorlm.methods.masks import masked
from tailorlm.methods.own_items import ItemSettings
from tailorlm.methods.own_plan import Pace
from tailorlm.methods.side_by_side import digest
from tailorlm.methods.source import Bench
from tailorlm.methods.task_data import task_data
from tailorlm.methods.tuning import Raw, row_loss
from tailorlm.training.examples import TrainingSet
from tailorlm.training.many import ManySettings, train_many
from tailorlm.training.many_files import Saving
from tailorlm.training.plan import plan_epochs

STATE = "anchor.pt"


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskSettings:
    """`data`: 0 none, so many of the training users' items drawn by lot, or "all"; `items`: which, and how written.

    `dropout`: the chance that an input feature of the LoRA is dropped in training.
    """

    data: int | Literal["all"] = 0
    items: ItemSettings = field(default_factory=ItemSettings)
    epochs: int = 3
    batch: int = 6
    dropout: float = 0.0
    train: ManySettings = field(default_factory=lambda: ManySettings(learning_rate=1e-4))

    def __post_init__(self) -> None:
        """ValueError for a dropout that is no share, fewer than no rows, no pass, an empty batch, or no rate."""
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout is {self.dropout}; valid is a share below 1")
        if self.data != "all" and self.data < 0:
            raise ValueError(f'data is {self.data}; valid is 0 (none), a number of items, or "all"')
        Pace(epochs=self.epochs, batch=self.batch, rate=self.train.learning_rate)


def trained_further(
    bench: Bench, anchor: Adapters, users: Sequence[User], settings: TaskSettings, scaling: float, seed: int,
    directory: Path, resume: bool, task: str | None = None,
) -> Adapters:  # fmt: skip
    """The one `anchor`, trained on `users`' items, of the `task` whose anchor it is; `directory` keeps the run's state.

    ValueError for several anchors, too few items, or a directory with a run that is not resumed, or is one on other
    items, from another anchor, of another base or with other settings.
    """
    space = anchor.space
    if len(anchor) != 1 or not isinstance(space, LoraSpace):
        raise ValueError(f"task data trains one anchor for all, a LoRA; got {len(anchor)} of kind {space.kind}")
    if (directory / STATE).exists() and not resume:
        raise ValueError(f"{directory} has a run already: resume it, or choose another directory")
    rows = task_data(bench, users, settings.items, seed)
    picked = _picked(rows, settings.data, seed, None if task is None else bench.task_of(task).name)
    plan = plan_epochs(["task"], [picked], epochs=settings.epochs, batch=settings.batch, seed=seed)
    plain = Injector(bench.backbone.model, space)
    injector = masked(plain, settings.dropout) if settings.dropout else plain

    def effective(params: Raw, fixed: Raw) -> Adapters:
        return Adapters(space, _scaled(params, scaling))

    loss = row_loss(bench, injector, rows.rows, {}, effective)
    lengths = [len(row.ids) for row in rows.rows]
    # The plan has rows' numbers, not what they say; and a fresh anchor's parameters are the same at any scale.
    about = digest(made_for.base(bench.backbone), rows.rows, settings.dropout, scaling, anchor)
    saving = Saving(directory / STATE, about=about[:16])
    try:
        found = train_many(loss, raw(anchor, scaling), plan, settings.train, tokens=lengths, saving=saving)
    finally:
        injector.clear()
    return effective({name: t.detach() for name, t in found.params.items()}, {})


def _picked(rows: TrainingSet, data: int | Literal["all"], seed: int, task: str | None) -> list[int]:
    """The numbers of the rows of so many items, drawn by lot from those of the task (None: of all tasks)."""
    own = [number for number, name in enumerate(rows.task) if task in (None, name)]
    if not own:
        raise ValueError(f"no item{f' of task {task!a}' if task else ''} makes a row to train the anchor on")
    ids = {number: rows.rows[number].id.removesuffix("+") for number in own}  # an item in two versions is drawn as one
    wanted = set(task_rows(list(dict.fromkeys(ids.values())), data, seed))
    return [number for number in own if ids[number] in wanted]


def _scaled(params: Raw, scaling: float) -> dict[str, Tensor]:
    return {name: t * scaling if name.endswith(".B") else t for name, t in params.items()}
