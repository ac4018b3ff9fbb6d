"""A profile: what is known of a user, as short readable statements, each with a stable name.

Knows nothing of how the statements were made or how they are encoded. Source: design section 2.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch

Complete = Callable[[Sequence[str]], list[str]]
Embed = Callable[[Sequence[str]], torch.Tensor]


@dataclass(frozen=True, slots=True)
class Statement:
    """One thing said of a user; `facet` names what it is about and is the same for all users.

    `own`: the facet's name is text of the user (a label that no task declares).
    """

    facet: str
    text: str
    own: bool = field(default=False, compare=False)


@dataclass(frozen=True, slots=True)
class Profile:
    """The statements about a user for one task, or for all (None); `template` says how they were made."""

    user_id: str
    task: str | None
    statements: tuple[Statement, ...]
    template: str

    @property
    def text(self) -> str:
        """All statements as one text, a line each: what a K = 1 encoder or a prompt is given."""
        return "\n".join(statement.text for statement in self.statements)
