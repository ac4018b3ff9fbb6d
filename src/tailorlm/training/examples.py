"""Cut points become rows to train on: (the history before the cut, an item after it).

Nothing else makes training data out of histories. Knows nothing of methods. Source: design section 2 (cut points).
A pair is made of its item and, where its task has a pool, of other training users' items and of what the user did
between the cut and the item: the profile, which sees what is before the cut, cannot give the answer away by holding
it. A pair's chance comes from the seed, the user and the item's place, so a row never depends on who else is there.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from types import MappingProxyType
from typing import Any

from tailorlm.backbone.prompt import encode_row
from tailorlm.backbone.rows import Row
from tailorlm.data.cuts import Cut
from tailorlm.data.records import Example, Interaction, User
from tailorlm.tasks.task import Pool, Task

Pools = Mapping[str | None, Sequence[Interaction]]
"""Training users' items by task."""
NO_POOLS: Pools = MappingProxyType({})


@dataclass(frozen=True)
class TrainingSet:
    """N rows; row i is asked of the user of `cuts[cut[i]]`, is of task `task[i]`, and is later than the cut.

    `queries[i]` is what it asks, without the answer.
    """

    rows: list[Row]
    cut: list[int]
    task: list[str]
    cuts: tuple[Cut, ...]
    queries: list[Example]

    @property
    def asked(self) -> list[tuple[Cut, str]]:
        """Each row's cut and task (N)."""
        return [(self.cuts[cut], task) for cut, task in zip(self.cut, self.task, strict=True)]


def pools_of(train: Sequence[User]) -> dict[str | None, tuple[Interaction, ...]]:
    """All items of the training users, by task."""
    found: dict[str | None, list[Interaction]] = {}
    for user in train:
        for item in user.history:
            found.setdefault(item.task, []).append(item)
    return {task: tuple(items) for task, items in found.items()}


def training_set(
    users: Sequence[User],
    cuts: Sequence[Cut],
    task_of: Callable[[str | None], Task],
    tokenizer: Any,
    max_tokens: int,
    pools: Pools = NO_POOLS,
    seed: int = 0,
) -> TrainingSet:
    """A row for every item at or after each cut that its task can make a question of; an id is user@item.

    `pools`: training users' items by task; what the user did too is left out of them. ValueError as the task's
    `pair` raises it (a task that needs negatives, without a pool).
    """
    by_id = {user.id: user for user in users}
    others = {task: _Pool(items) for task, items in pools.items()}
    made: dict[tuple[str, int, int], tuple[Row, str, Example] | None] = {}
    rows, owners, tasks, queries = [], [], [], []
    for number, cut in enumerate(cuts):
        history = by_id[cut.user_id].history
        keys = [
            (cut.user_id, place, cut.position if history[place].task in others else 0)
            for place in range(cut.position, len(history))
        ]
        new = [key for key in keys if key not in made]
        needy = {history[place].task for _, place, _ in new} & others.keys()
        of_others = {task: others[task].without(history) for task in needy}
        for key in new:  # cuts of one user share their later items, but for pairs that are made of items since the cut
            _, place, first = key
            item, name = history[place], f"{cut.user_id}@{place}"
            pool = Pool(history[first:place], of_others.get(item.task, ()))
            pair = task_of(item.task).pair(item, pool, Random(f"{seed}/{name}"))
            query = Example(name, cut.user_id, item.task, pair[0] if pair else "", None, item.time)
            made[key] = _row(query, task_of(item.task), pair, tokenizer, max_tokens)
        for key in keys:
            if (found := made[key]) is not None:
                rows.append(found[0])
                owners.append(number)
                tasks.append(found[1])
                queries.append(found[2])
    return TrainingSet(rows, owners, tasks, tuple(cuts), queries)


def _row(
    query: Example, task: Task, pair: tuple[str, str] | None, tokenizer: Any, max_tokens: int
) -> tuple[Row, str, Example] | None:
    """The pair as a row of its task, the task's name, and the query; None where there is no pair."""
    if pair is None:
        return None
    return encode_row(tokenizer, task.prompt(pair[0]), pair[1], max_tokens, query.id), task.name, query


class _Pool:
    """Items, and where each content stands: co-authors have the same paper, and no one's own is a negative."""

    def __init__(self, items: Sequence[Interaction]) -> None:
        self.items = list(items)
        self.places: dict[tuple[str, str], list[int]] = {}
        for place, item in enumerate(self.items):
            self.places.setdefault((item.input, item.output), []).append(place)

    def without(self, history: Sequence[Interaction]) -> list[Interaction]:
        """The items, with each that is in the history replaced by the next that is not; [] where all are.

        The others keep their places: another own item moves no draw but those that fell on it.
        """
        contents = {(item.input, item.output) for item in history}
        own = sorted((place for content in contents for place in self.places.get(content, ())), reverse=True)
        items = list(self.items)
        for place in [*own, *own]:  # the second time for those at the end, whose next is at the beginning
            items[place] = items[(place + 1) % len(items)]
        return items if len(own) < len(items) else []
