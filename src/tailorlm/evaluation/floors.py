"""Trivial answers that personalisation must beat: majorities, mean ratings, a copy of the input.

Knows nothing of models or profiles: it sees histories only. A label is the most frequent one, a rating the
rounded mean; free text has no majority, so there every floor copies. Source: issue 2 section 3 (rows).
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from tailorlm.assembly.datasets import task_of
from tailorlm.backbone.prompt import Prompt
from tailorlm.contexts.context import Request
from tailorlm.data.records import Example, Interaction, User
from tailorlm.evaluation.scores import is_rating
from tailorlm.metrics.rating import HIGH, LOW, number

Common = Mapping[str | None, str]


def common_answers(users: Iterable[User]) -> dict[str | None, str]:
    """Per task (but written ones) what all items of `users` say: the majority, or the rounded mean rating.

    Ties go to the first in the alphabet. Streams: keeps counts only.
    """
    counts: dict[str | None, Counter[str]] = {}
    for user in users:
        for item in user.history:
            if not is_written(item.task):
                counts.setdefault(item.task, Counter())[item.output.strip()] += 1
    return {task: middle(task, sorted(found), found) for task, found in counts.items()}


def floor_majority(examples: Sequence[Example], common: Common) -> list[str]:
    """What all training items say, per example (N). Raises ValueError for a task that `common` has not."""
    return [fallback(example, common) for example in examples]


def floor_user(examples: Sequence[Example], users: Mapping[str, User], common: Common) -> list[str]:
    """What the user's own earlier items of the task say, per example (N); ties go to the label used last.

    Earlier is strictly before the query's time; an item that names no task is of the query's, as in contexts.
    A user without items of the task gets `common`'s answer. Raises KeyError for an unknown user.
    """
    return [own(example, users[example.user_id].history, common) for example in examples]


def floor_copy(examples: Sequence[Example]) -> list[str]:
    """The input's payload, per example (N): what follows its first ": ", or all of it where there is none."""
    return [payload(example.input) for example in examples]


def payload(text: str) -> str:
    """`text` after its first ": " (the instruction stands before it); the whole of a text that has none."""
    head, mark, rest = text.partition(": ")
    return rest if mark else head


def own(example: Example, history: Sequence[Interaction], common: Common) -> str:
    """The floor of one example from one user's history: of the items that contexts may show beside it."""
    past = Request(example, Prompt(""), tuple(history)).related
    said = [item.output.strip() for item in past]
    if is_written(example.task) or not said:
        return fallback(example, common)
    return middle(example.task, list(dict.fromkeys(reversed(said))), Counter(said))


def fallback(example: Example, common: Common) -> str:
    """The floor of one example from everybody's items; a copy where answers are written."""
    if is_written(example.task):
        return payload(example.input)
    if example.task not in common:
        known = sorted(map(str, common))
        raise ValueError(f"task {example.task!r} has no training items: expected one of {known}")
    return common[example.task]


def middle(task: str | None, said: Sequence[str], counts: Counter[str]) -> str:
    """The mean rating rounded half up, or the first of the most frequent labels in the order of `said`."""
    if not is_rating(task):
        return max(said, key=lambda output: counts[output])
    total = sum(stars(task, output) * counts[output] for output in said)
    return str(int(total / counts.total() + 0.5))


def is_written(task: str | None) -> bool:
    """Whether a task's answers are free text."""
    return task_of(task).labels is None


def stars(task: str | None, output: str) -> float:
    """A history's rating as a number; ValueError where it is none from 1 to 5."""
    value = number(output)
    if value is None or not LOW <= value <= HIGH:
        raise ValueError(f"task {task!r}: a history holds no number from {LOW:g} to {HIGH:g}")
    return value
