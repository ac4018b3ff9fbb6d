"""Tasks that are told in words: their descriptions, their examples, and batches that draw a description a row.

Knows nothing of networks. Source: Text-to-LoRA section 3 (tasks with many descriptions each; every training row is
told with one of its task's); reference section 2.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from tailorlm.backbone.rows import RowBatch
from tailorlm.data.records import Interaction, User
from tailorlm.methods.batches import BatchSettings, all_items, batches
from tailorlm.methods.source import Bench
from tailorlm.profiles.profile import Profile, Statement
from tailorlm.tasks.task import Task
from tailorlm.training.examples import TrainingSet

FACET, TEMPLATE = "description", "description-1"


@dataclass(frozen=True, slots=True)
class DescribedTask:
    """A task, what may be said of it in training, and its examples, person by person: an example's wrong answers are
    never the same person's right ones. ValueError without a description.
    """

    name: str
    descriptions: tuple[str, ...]
    people: tuple[tuple[Interaction, ...], ...]

    def __post_init__(self) -> None:
        if not self.descriptions or not all(text.strip() for text in self.descriptions):
            raise ValueError(f"task {self.name!r} needs descriptions, none of them empty: it has none, or an empty one")


def described_users(users: Sequence[User]) -> list[DescribedTask]:
    """Each user is a task: its history the examples, its profile the descriptions, a line each.

    ValueError names a user without a profile.
    """
    return [DescribedTask(user.id, lines(user), (user.history,)) for user in users]


def lines(user: User) -> tuple[str, ...]:
    """The lines of a user's profile that say something."""
    return tuple(line.strip() for line in (user.profile or "").splitlines() if line.strip())


def named_tasks(
    users: Sequence[User], task_of: Callable[[str | None], Task], instead: Mapping[str, str] = MappingProxyType({})
) -> list[DescribedTask]:
    """The tasks that users' items name, sorted: all users' items of a task are its examples.

    The one description is the task's own, or the one in `instead`. ValueError names a task without one; items without
    a task are `plain`'s.
    """
    items: dict[str, list[tuple[Interaction, ...]]] = {}
    for user in users:
        own: dict[str, list[Interaction]] = {}
        for item in user.history:
            own.setdefault(task_of(item.task).name, []).append(item)
        for name, some in own.items():
            items.setdefault(name, []).append(tuple(some))
    said = {name: description(task_of(name), instead) for name in items}
    return [DescribedTask(name, (said[name],), tuple(items[name])) for name in sorted(items)]


def description(task: Task, instead: Mapping[str, str] = MappingProxyType({})) -> str:
    """What `instead` says of the task, or else the task itself. ValueError where it says nothing."""
    text = instead.get(task.name, task.description)
    if not text.strip():
        raise ValueError(f"task {task.name!r} has no description (Task.description), from which its adapter is made")
    return text


def as_profiles(descriptions: Sequence[str]) -> list[Profile]:
    """Each description as a profile of one statement, numbered from 0: what a vector table is built from."""
    return [Profile(str(number), None, (Statement(FACET, text),), TEMPLATE) for number, text in enumerate(descriptions)]


@dataclass(frozen=True)
class TaskRows:
    """N training rows; row i is of task `task[i]`, a place in `tasks`; the descriptions stand in one list.

    Task t's descriptions are the numbers `first[t]` to `first[t] + count[t] - 1`.
    """

    tasks: tuple[DescribedTask, ...]
    rows: TrainingSet
    task: list[int]

    @property
    def count(self) -> list[int]:
        return [len(task.descriptions) for task in self.tasks]

    @property
    def first(self) -> list[int]:
        return [0, *np.cumsum(self.count)[:-1].tolist()]

    @property
    def descriptions(self) -> list[str]:
        return [text for task in self.tasks for text in task.descriptions]

    def owned(self) -> list[list[int]]:
        """Each task's rows."""
        own: list[list[int]] = [[] for _ in self.tasks]
        for row, task in enumerate(self.task):
            own[task].append(row)
        return own


def persons(task: DescribedTask) -> list[User]:
    """Those whose examples are the task's, numbered where there are several."""
    if len(task.people) == 1:
        return [User(task.name, task.people[0])]
    return [User(f"{task.name}/{number}", own) for number, own in enumerate(task.people)]


def task_rows(bench: Bench, tasks: Sequence[DescribedTask]) -> TaskRows:
    """Every example of every task as a row. ValueError for two tasks of one name, or a task without any row."""
    people = [(number, person) for number, task in enumerate(tasks) for person in persons(task)]
    counts = Counter(person.id for _, person in people)
    twice = sorted(name for name, count in counts.items() if count > 1)
    if twice or not tasks:
        raise ValueError(f"tasks need different names, at least one: got {len(tasks)}, twice {twice[:4]}")
    rows = all_items(bench, [person for _, person in people])
    place = {person.id: number for number, person in people}
    owners = [place[rows.cuts[cut].user_id] for cut in rows.cut]
    bare = sorted(set(range(len(tasks))) - set(owners))
    if bare:
        raise ValueError(
            f"task {tasks[bare[0]].name!r} has no example that makes a question; {len(bare)} tasks have none"
        )
    return TaskRows(tuple(tasks), rows, owners)


class Told:
    """A stream of batches of rows, each row's `index` a description of its task, drawn anew every time."""

    def __init__(self, bench: Bench, rows: TaskRows, settings: BatchSettings, seed: int) -> None:
        self._batches = batches(bench, rows.rows, rows.task, settings, seed)
        self._draw = Draw(rows, seed)

    def __next__(self) -> RowBatch:
        """The next batch."""
        batch = next(self._batches)
        return replace(batch, index=torch.from_numpy(self._draw(batch.index.numpy())))

    def state_dict(self) -> dict[str, Any]:
        return {"batches": self._batches.state_dict(), "draw": self._draw.rng.bit_generator.state}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._batches.load_state_dict(state["batches"])
        self._draw.rng.bit_generator.state = state["draw"]


class Draw:
    """Draws one of the descriptions of each task, all alike."""

    def __init__(self, rows: TaskRows, seed: int) -> None:
        self.first, self.count = np.array(rows.first), np.array(rows.count)
        self.rng = np.random.default_rng(np.random.SeedSequence([seed, 1]))

    def __call__(self, tasks: NDArray[np.int64]) -> NDArray[np.int64]:
        """Tasks (N,) -> numbers of descriptions (N,)."""
        drawn: NDArray[np.int64] = self.first[tasks] + self.rng.integers(0, self.count[tasks])
        return drawn
