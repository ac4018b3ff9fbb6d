"""What is evaluated: methods, each on every task, split and seed, in chunks of users that fit into memory.

Knows nothing of models or of how answers are made. A cell is a method, a task, a split and a seed; its rows are in one
file for each chunk of users. Source: issue 4 (runner).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from pathlib import Path
from typing import Any, Protocol

from tailorlm.adapters.peft_files import directory_for
from tailorlm.assembly.datasets import task_of
from tailorlm.assembly.store import UserStore
from tailorlm.data.records import Example, User
from tailorlm.evaluation.rows import Row


@dataclass(frozen=True)
class Method:
    """A row of the comparison by name; `about` is all that decides its answers."""

    name: str
    adapter: str
    context: str
    about: Mapping[str, Any]


@dataclass(frozen=True)
class Chunk:
    """Some users of a split, by id, with what they are asked; `number` counts the split's chunks."""

    split: str
    number: int
    users: Mapping[str, User]
    queries: tuple[Example, ...]

    @cached_property
    def of_task(self) -> dict[str | None, tuple[Example, ...]]:
        """The queries by task, tasks sorted."""
        tasks = sorted({query.task for query in self.queries}, key=str)
        return {task: tuple(query for query in self.queries if query.task == task) for task in tasks}


@dataclass(frozen=True, slots=True)
class Cell:
    """A method, a task (as the data name it), a split and a seed."""

    method: Method
    task: str | None
    split: str
    seed: int

    def part(self, root: Path, chunk: int) -> Path:
        """The file of a chunk's rows."""
        folder = directory_for(root / self.split / f"seed-{self.seed}" / self.method.name, task_of(self.task).name)
        return folder / f"part-{chunk:05d}.parquet"

    def row(self, query: Example, user: User, **found: Any) -> Row:
        """A query's row, with what was found."""
        return Row(
            example_id=query.id, user_id=query.user_id, task=task_of(query.task).name, method=self.method.name,
            adapter=self.method.adapter, context=self.method.context, split=self.split, seed=self.seed,
            history_items=len(user.history), target=query.target or "", **found,
        )  # fmt: skip


class Way(Protocol):
    """Methods that are answered together because they share work, such as the adapters of their users.

    They serve the first `users` of a split; 0 is all.
    """

    methods: Sequence[Method]
    seed: int
    users: int

    def rows(self, chunk: Chunk, cells: Sequence[Cell]) -> Iterator[tuple[Cell, list[Row]]]:
        """Each cell's rows of this chunk, in the order of its queries. What it raises fails what it has not given."""
        ...


@dataclass(frozen=True)
class Plan:
    """An evaluation: its splits, its ways, and the folder of its rows; `base`: a digest of its weights, "" unknown."""

    folder: Path
    splits: Mapping[str, UserStore]
    ways: Sequence[Way]
    users_at_once: int
    base: str = ""

    def chunks(self, split: str, users: int) -> Iterator[Chunk]:
        """A split's users (the first `users`; 0: all) in the order of the data."""
        store = self.splits[split]
        last = min(users or len(store), len(store))
        for number, start in enumerate(range(0, last, self.users_at_once)):
            pairs = [store[place] for place in range(start, min(start + self.users_at_once, last))]
            yield Chunk(
                split, number, {user.id: user for user, _ in pairs}, tuple(q for _, asked in pairs for q in asked)
            )

    def numbers(self, split: str, users: int) -> list[tuple[str, int]]:
        """A split's chunks, each as (split, number)."""
        last = min(users or len(self.splits[split]), len(self.splits[split]))
        return [(split, number) for number in range(-(-last // self.users_at_once))]

    def every_number(self, users: int) -> list[tuple[str, int]]:
        """The chunks of all splits, each as (split, number)."""
        return [chunk for split in self.splits for chunk in self.numbers(split, users)]

    def count(self, split: str, users: int) -> int:
        """How many queries those users have."""
        store = self.splits[split]
        return sum(store.queries[: users or len(store)])

    def unasked(self) -> list[str]:
        """Of rows that serve the first users: the tasks of a split that none of these is asked, a line each."""
        found = []
        for way, (split, store) in product(self.ways, self.splits.items()):
            first = frozenset[str | None]().union(*store.asks[: way.users or len(store)])
            if left := sorted(task_of(task).name for task in store.asked.keys() - first):
                names = ", ".join(method.name for method in way.methods)
                found.append(f"{names}: the first {way.users} users of {split} are not asked {', '.join(left)}")
        return list(dict.fromkeys(found))

    def total(self) -> int:
        """How many rows there will be."""
        return sum(len(way.methods) * self.count(split, way.users) for way in self.ways for split in self.splits)

    def parts(self) -> Iterator[tuple[Cell, Path]]:
        """Every file that there may be, with its cell."""
        for way, split in product(self.ways, self.splits):
            for method, task in product(way.methods, sorted(self.splits[split].asked, key=str)):
                cell = Cell(method, task, split, way.seed)
                for _, number in self.numbers(split, way.users):
                    yield cell, cell.part(self.folder, number)
