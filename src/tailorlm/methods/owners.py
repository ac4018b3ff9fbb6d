"""Whom an adapter is for: a user for all tasks, or a user and one task. Knows nothing of adapters or items.

Source: design section 2 (adapters by user, or by user and task); PRISP runs a task at a time.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from tailorlm.data.records import User


@dataclass(frozen=True, slots=True)
class Owner:
    """Whom an adapter is for: a user, and the one task that it is for (None: all)."""

    user: User
    task: str | None = None

    @property
    def id(self) -> str:
        """What names the owner in plans and errors."""
        return self.user.id if self.task is None else f"{self.user.id}/{self.task}"

    @property
    def place(self) -> tuple[str, str | None]:
        """The owner's key in a roster."""
        return self.user.id, self.task


def owners(users: Sequence[User], tasks: Sequence[str], scope: str) -> list[Owner]:
    """One of each user, or of each user and task. ValueError where the scope is "task" and no task is named."""
    if scope == "all":
        return [Owner(user) for user in users]
    if not tasks:
        raise ValueError('scope is "task": name the tasks that users are enrolled for')
    return [Owner(user, task) for user in users for task in tasks]
