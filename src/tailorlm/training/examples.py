"""Cut points become rows to train on: (the history before the cut, an item after it).

Nothing else makes training data out of histories. Knows nothing of methods. Source: design section 2 (cut points).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from tailorlm.backbone.prompt import encode_row
from tailorlm.backbone.rows import Row
from tailorlm.data.cuts import Cut
from tailorlm.data.records import Interaction, User
from tailorlm.tasks.task import Task


@dataclass(frozen=True)
class TrainingSet:
    """N rows; row i is asked of the user of `cuts[cut[i]]`, is of task `task[i]`, and is later than the cut."""

    rows: list[Row]
    cut: list[int]
    task: list[str]
    cuts: tuple[Cut, ...]

    @property
    def asked(self) -> list[tuple[Cut, str]]:
        """Each row's cut and task (N)."""
        return [(self.cuts[cut], task) for cut, task in zip(self.cut, self.task, strict=True)]


def training_set(
    users: Sequence[User],
    cuts: Sequence[Cut],
    task_of: Callable[[str | None], Task],
    tokenizer: Any,
    max_tokens: int,
) -> TrainingSet:
    """A row for every item at or after each cut that its task can make a question of; an id is user@item."""
    by_id = {user.id: user for user in users}
    made: dict[tuple[str, int], tuple[Row, str] | None] = {}
    rows, owners, tasks = [], [], []
    for number, cut in enumerate(cuts):
        history = by_id[cut.user_id].history
        for place in range(cut.position, len(history)):
            key = (cut.user_id, place)
            if key not in made:  # cuts of one user share their later items
                made[key] = _row(f"{cut.user_id}@{place}", history[place], task_of, tokenizer, max_tokens)
            if (found := made[key]) is not None:
                rows.append(found[0])
                owners.append(number)
                tasks.append(found[1])
    return TrainingSet(rows, owners, tasks, tuple(cuts))


def _row(
    name: str, item: Interaction, task_of: Callable[[str | None], Task], tokenizer: Any, max_tokens: int
) -> tuple[Row, str] | None:
    """The item as a question of its task, and the task's name; None where it makes no pair."""
    task = task_of(item.task)
    pair = task.pair(item)
    if pair is None:
        return None
    return encode_row(tokenizer, task.prompt(pair[0]), pair[1], max_tokens, name), task.name
