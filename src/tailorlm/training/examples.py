"""Cut points become rows to train on: (the history before the cut, an item after it).

Nothing else makes training data out of histories. Knows nothing of methods. Source: design section 2 (cut points).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from tailorlm.backbone.prompt import encode_row
from tailorlm.backbone.rows import Row
from tailorlm.data.cuts import Cut
from tailorlm.data.records import User
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
    """A row for every item at or after each cut that its task can make a question of; ids are user, cut and item."""
    by_id = {user.id: user for user in users}
    made: list[tuple[Row, int, str]] = []
    for number, cut in enumerate(cuts):
        history = by_id[cut.user_id].history
        for place in range(cut.position, len(history)):
            task = task_of(history[place].task)
            pair = task.pair(history[place])
            if pair is not None:
                name = f"{cut.user_id}/{cut.position}/{place}"
                made.append(
                    (
                        encode_row(tokenizer, task.prompt(pair[0]), pair[1], max_tokens, name),
                        number,
                        task.name,
                    )
                )
    rows, owners, tasks = ([part[i] for part in made] for i in range(3))
    return TrainingSet(rows, owners, tasks, tuple(cuts))  # type: ignore[arg-type]
