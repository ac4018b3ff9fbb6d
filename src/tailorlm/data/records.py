"""The records that everything speaks: an interaction, a user, an example to answer.

Knows nothing of files, models or tasks. Source: design section 2; P2P section 2 (H_u, x_u, y_u).
"""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Interaction:
    """One thing a user did: what was asked (`input`) and what the user gave (`output`).

    `time` is seconds since 1970 (UTC); None means that the order of the file is the order.
    `task` is the name of a file in `tasks/` or of the user's own; None means the data has one task.
    `asked`: a query of the data, answered, and no item of the history that the data give.
    """

    input: str
    output: str
    time: float | None = None
    task: str | None = None
    asked: bool = field(default=False, compare=False)


@dataclass(frozen=True, slots=True)
class User:
    """A user, oldest interaction first, and the profile text that the data came with, if any."""

    id: str
    history: tuple[Interaction, ...]
    profile: str | None = None


@dataclass(frozen=True, slots=True)
class Example:
    """A query of a user with its gold answer; all of the user's `history` is earlier than it.

    `target` is None where the data has no gold answer (a live query).
    """

    id: str
    user_id: str
    task: str | None
    input: str
    target: str | None
    time: float | None = None


@dataclass(frozen=True, slots=True)
class Dataset:
    """Users by id, and the queries asked of them in the order of the file."""

    users: dict[str, User]
    examples: tuple[Example, ...]
