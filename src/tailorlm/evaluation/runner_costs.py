"""What a method took, counted row by row: seconds, memory, tokens, bytes; and over more and more users.

Knows nothing of scores. A user's seconds are those of enrolling the user and of answering all that the user was asked.
Source: P2P figure 4 (cumulative time), PRISP figures 3 and 4 (cost); issue 4 (measured the same way for all).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tailorlm.evaluation.measure import Cost, break_even, counts
from tailorlm.evaluation.rows import Row

MEANS = ("seconds", "prompt_tokens", "new_tokens", "context_tokens", "adapter_bytes")
PEAKS = ("peak_rss", "peak_cuda")
MOST = 1_000_000
"""The largest number of users on a curve of cumulative time, unless there are more."""


@dataclass
class Costs:
    """Sums over rows; what was enrolled once, and is kept, counts once a user and seed."""

    rows: int = 0
    failed: int = 0
    sums: dict[str, float] = field(default_factory=dict)
    known: dict[str, int] = field(default_factory=dict)
    peaks: dict[str, int] = field(default_factory=dict)
    enrolled: dict[tuple[str, int], float] = field(default_factory=dict)
    kept: dict[tuple[str, int], int] = field(default_factory=dict)

    def add(self, row: Row) -> None:
        """Count a row in."""
        self.rows += 1
        self.failed += row.failure is not None
        for name in MEANS:
            value = getattr(row, name)
            if value is not None:
                self.sums[name] = self.sums.get(name, 0.0) + value
                self.known[name] = self.known.get(name, 0) + 1
        for name in PEAKS:
            self.peaks[name] = max(self.peaks.get(name, 0), getattr(row, name) or 0)
        owner = (row.user_id, row.seed)
        if row.enrol_seconds is not None:
            # Users' adapters are made for all of their tasks at once: the largest share is what was measured.
            self.enrolled[owner] = max(self.enrolled.get(owner, 0.0), row.enrol_seconds)
        if row.kept_bytes is not None:
            self.kept[owner] = max(self.kept.get(owner, 0), row.kept_bytes)

    def mean(self, name: str) -> float | None:
        """The mean over rows of one of MEANS; None where no row has it."""
        return self.sums[name] / self.known[name] if self.known.get(name) else None

    @property
    def enrol_seconds(self) -> float | None:
        """Seconds to enrol one user."""
        return sum(self.enrolled.values()) / len(self.enrolled) if self.enrolled else None

    def cost(self, once: float | None) -> Cost | None:
        """Seconds once and a user; None where that was not measured."""
        if once is None or self.enrol_seconds is None or "seconds" not in self.sums:
            return None
        return Cost(once, self.enrol_seconds + self.sums["seconds"] / len(self.enrolled))

    def table(self, once: float | None) -> dict[str, Any]:
        """All of it by name; what was not measured is None."""
        users = len(self.kept)
        return {
            "rows": self.rows, "failed": self.failed, "users": len({user for user, _ in self.enrolled}),
            "prepare_seconds": once, "enrol_seconds_per_user": self.enrol_seconds,
            "seconds_per_instance": self.mean("seconds"),
            **{f"{name}_per_instance": self.mean(name) for name in MEANS[1:4]},
            "adapter_bytes": self.mean("adapter_bytes"),
            "kept_bytes_per_user": sum(self.kept.values()) / users if users else None,
            **{f"{name}_bytes": self.peaks.get(name) or None for name in PEAKS},
        }  # fmt: skip

    @property
    def seconds(self) -> float:
        """All seconds of enrolling and answering."""
        return sum(self.enrolled.values()) + self.sums.get("seconds", 0.0)


def cumulative(costs: Mapping[str, Cost], users: int) -> dict[str, list[list[float]]]:
    """[number of users, seconds] of each method, up to `users` or the largest break-even that is below MOST."""
    numbers = counts(max([users, *(even for even in break_evens(costs).values() if even <= MOST)]))
    return {name: [[number, round(cost.total(number), 3)] for number in numbers] for name, cost in costs.items()}


def break_evens(costs: Mapping[str, Cost]) -> dict[str, int]:
    """ "a - b": from how many users on `a`, which takes longer once, has taken no longer than `b`."""
    found = {}
    for name, cost in costs.items():
        for other, theirs in costs.items():
            number = break_even(cost, theirs)
            if name != other and cost.once > theirs.once and number is not None:
                found[f"{name} - {other}"] = number
    return found
