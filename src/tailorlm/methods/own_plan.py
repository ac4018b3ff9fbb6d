"""The steps in which each user sees the own rows, with the batch and the rate of the rows' task.

Knows nothing of what is trained. Source: PRISP table 7, OPPU's epochs (reference sections 2 and 3).
"""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from tailorlm.methods.own_items import OwnRows
from tailorlm.methods.owners import Owner
from tailorlm.methods.task_names import check_names
from tailorlm.plugins import names
from tailorlm.training.plan import Plan, plan_epochs

T = TypeVar("T")

STAGE_2_RATES = {"lamp_1": 2e-4, "lamp_2m": 1e-4, "lamp_3": 1e-4, "lamp_4": 5e-4, "lamp_5": 1e-6, "lamp_7": 3e-6}
STAGE_2_BATCHES = {"lamp_1": 16, "lamp_2m": 16, "lamp_3": 6, "lamp_4": 16, "lamp_5": 10, "lamp_7": 16}
"""PRISP's table 7; its OPPU has the same."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How often and in what steps a user sees the own rows; `batches` and `rates` are those of tasks, by name."""

    epochs: int
    batch: int
    rate: float
    batches: Mapping[str, int] = field(default_factory=dict)
    rates: Mapping[str, float] = field(default_factory=dict)
    seed: int = 0

    def __post_init__(self) -> None:
        """ValueError for less than one pass or row, and for a rate that is not above 0."""
        if min(self.epochs, self.batch, *self.batches.values()) < 1:
            raise ValueError(
                f"epochs is {self.epochs}, batch {self.batch}, batches {dict(self.batches)}; valid is at least 1"
            )
        if not all(math.isfinite(rate) and rate > 0 for rate in (self.rate, *self.rates.values())):
            raise ValueError(f"learning_rate is {self.rate}, rates {dict(self.rates)}; valid is above 0")

    @property
    def unfiled(self) -> bool:
        """Whether a task is named that has no file: only the data can say that it is there."""
        return not {*self.batches, *self.rates} <= set(names("tasks"))

    def check_tasks(self, known: Collection[str]) -> None:
        """ValueError for batches or rates of a task that is neither a file nor one of the `known`."""
        check_names("batches", self.batches, known)
        check_names("rates", self.rates, known)


def own_plan(people: Sequence[Owner], rows: OwnRows, pace: Pace) -> Plan:
    """Each owner's own rows in shuffled epochs, with the batch and the rate of its task.

    ValueError for an owner whose rows are of tasks with different batches or rates.
    """
    numbers = rows.numbers()
    tasks = [sorted({rows.task[number] for number in own}) for own in numbers]
    named = list(zip(people, tasks, strict=True))
    batches = [_of_task(owner, found, pace.batches, pace.batch, "batch") for owner, found in named]
    rates = [_of_task(owner, found, pace.rates, pace.rate, "rate") for owner, found in named]
    ids = [owner.id for owner in people]
    return plan_epochs(ids, numbers, epochs=pace.epochs, batch=batches, seed=pace.seed, rates=rates)


def _of_task(owner: Owner, tasks: Sequence[str], named: Mapping[str, T], default: T, what: str) -> T:
    found = {named.get(task, default) for task in tasks} or {default}
    if len(found) > 1:
        raise ValueError(
            f"the items of {owner.id!r} are of tasks {', '.join(tasks)}, each with a {what} of its own: "
            f'set scope = "task" for an adapter a task, or leave the tasks\' own {what} out'
        )
    return found.pop()
