"""Whether there are the tasks that settings name. Knows nothing of what is set of them.

Source: issue 3 (settings by task); design section 2 (a task is a file, or a name in the data).
"""

from collections.abc import Collection, Iterable

from tailorlm.data.records import User
from tailorlm.methods.source import Bench
from tailorlm.plugins import names


def task_names(bench: Bench, users: Iterable[User]) -> frozenset[str]:
    """The tasks of all items of `users`."""
    return frozenset(bench.task_of(task).name for task in {item.task for user in users for item in user.history})


def check_names(what: str, given: Iterable[str], known: Collection[str]) -> None:
    """ValueError for a name that is neither a task's file nor one of the `known`; `what`: the setting."""
    for name in given:
        if name not in (*known, *names("tasks")):
            there = ", ".join(sorted({*known, *names("tasks")}))
            raise ValueError(f"{what} has a task {name!a}, and there is no such task; there are: {there}")
