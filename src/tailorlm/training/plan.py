"""Which rows each user sees at each of its steps, and the users' own random streams.

Knows nothing of rows' content. A user's plan depends on its own id, row count and the seed only: who else is
trained changes nothing. Source: design section 3 (users side by side); OPPU's epochs (reference section 3).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tailorlm.training.streams import key_of


@dataclass(frozen=True, slots=True)
class Plan:
    """`steps[u][s]` are the rows that user `ids[u]` sees at its step s, numbered over all users.

    `rates[u]` is the user's own learning rate; empty leaves all users the one of the settings.
    """

    ids: tuple[str, ...]
    steps: tuple[tuple[tuple[int, ...], ...], ...]
    seed: int = 0
    rates: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        """Raises ValueError where ids, steps and rates differ in number, an id comes twice or a step has no row."""
        if len(self.ids) != len(self.steps) or len(set(self.ids)) != len(self.ids):
            raise ValueError(
                "a plan needs one list of steps for each of its different ids: received "
                f"{len(self.ids)} ids, {len(set(self.ids))} different, {len(self.steps)} lists"
            )
        if self.rates and (len(self.rates) != len(self.ids) or not all(rate > 0 for rate in self.rates)):
            raise ValueError(f"{len(self.ids)} users need as many rates above 0; received {self.rates}")
        for user, steps in zip(self.ids, self.steps, strict=True):
            if not all(steps):
                raise ValueError(f"user {user!r} has a step without rows; leave the step out")

    @property
    def lengths(self) -> tuple[int, ...]:
        """Each user's number of steps; 0 leaves its parameters as they are."""
        return tuple(map(len, self.steps))

    def keys(self) -> list[int]:
        """Each user's stream key."""
        return [key_of(self.seed, user) for user in self.ids]


def plan_epochs(
    ids: Sequence[str],
    rows: Sequence[Sequence[int]],
    *,
    epochs: int,
    batch: int | Sequence[int],
    seed: int = 0,
    rates: Sequence[float] = (),
) -> Plan:
    """Each user's own `rows`: `epochs` shuffled passes of batches of `batch`, a pass's last maybe smaller.

    `batch` is one for all or each user's own. ValueError for what is below 1.
    """
    sizes = [batch] * len(ids) if isinstance(batch, int) else list(batch)
    if epochs < 1 or min(sizes, default=1) < 1:
        raise ValueError(f"epochs is {epochs} and batch {batch}; valid is at least 1")
    steps = []
    for user, own, size in zip(ids, rows, sizes, strict=True):
        rng = np.random.default_rng(abs(key_of(seed, "plan", user)))
        passes = [rng.permutation(len(own)) for _ in range(epochs)]
        pieces = [p[i : i + size] for p in passes for i in range(0, len(own), size)]
        steps.append(tuple(tuple(own[int(j)] for j in piece) for piece in pieces))
    return Plan(tuple(ids), tuple(steps), seed, tuple(rates))
