"""What a run found, read from its `results.json`: checked once, so that pages and tables need not.

Knows nothing of how it is shown. Only `methods` must be there; what a run did not measure is empty.
Source: issue 2 section 3 and issue 4 (results.json).
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tailorlm.evaluation.report_shapes import check_fields
from tailorlm.evaluation.table import AVERAGE

Scores = Mapping[str, float]
BySplit = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Results:
    """The fields of `results.json`; scores are shares 0..1, `methods[name][split][task]`.

    `users` are numbers of users by split, of `train`, and of methods that served some of a split only.
    `notes[method]` is what its settings say of it, where the rows have them. `gradient_norms[method]` is a list of
    steps, each a list of layers: the norm of B's gradient, mean over users. `judge` has the `version` of who judges,
    and `methods[name][split][task]` with `mean` (1 to 5), `low`, `high`, and numbers of answers; `differences` by pair.
    """

    methods: Mapping[str, Mapping[str, Scores]]
    intervals: Mapping[str, BySplit]
    differences: Mapping[str, BySplit]
    attributes: Mapping[str, BySplit]
    same_users: Mapping[str, Scores]
    harmed: Mapping[str, Scores]
    drift: Scores
    timing: Mapping[str, Any]
    users: Mapping[str, int]
    needs: Mapping[str, Mapping[str, bool]]
    failures: Mapping[str, BySplit]
    gradient_norms: Mapping[str, list[list[float]]]
    curves: Mapping[str, list[Mapping[str, float]]]
    targets: list[Mapping[str, Any]]
    provenance: Mapping[str, Any]
    notes: Mapping[str, str] = field(default_factory=dict)
    judge: Mapping[str, Any] = field(default_factory=dict)

    def splits(self) -> list[str]:
        """The splits that any method has: `random` first, then `ood`, then others by name."""
        found = {split for scores in self.methods.values() for split in scores}
        return sorted(found, key=lambda split: (split != "random", split != "ood", split))

    def tasks(self) -> list[str]:
        """The tasks in the order of the file, "average" last, where any method has it; a single task is its own."""
        every = [task for scores in self.methods.values() for rows in scores.values() for task in rows]
        tasks = [task for task in dict.fromkeys(every) if task != AVERAGE]
        return [*tasks, AVERAGE] if len(tasks) != 1 and AVERAGE in every else tasks

    def columns(self) -> list[str]:
        """The tasks with "average" first: on a narrow screen the first column is what is seen."""
        return sorted(self.tasks(), key=lambda task: task != AVERAGE)

    def score(self, method: str, split: str, task: str) -> float | None:
        """A score, or None where the method was not measured."""
        return self.methods.get(method, {}).get(split, {}).get(task)

    def has(self, method: str, split: str) -> bool:
        """Whether a method was measured on a split, or failed there."""
        return any(split in found.get(method, {}) for found in (self.methods, self.failures))

    def interval(self, method: str, split: str, task: str) -> tuple[float, float] | None:
        """The interval of a score, or None where none was computed."""
        found = self.intervals.get(method, {}).get(split, {}).get(task)
        return (float(found[0]), float(found[1])) if found else None

    def metrics(self, method: str, split: str) -> Mapping[str, Scores]:
        """What each task's own metrics say of a method, by task."""
        return self.attributes.get(method, {}).get(split, {})

    def few(self, method: str) -> int | None:
        """How many users a method served, where these were not all of the largest split."""
        users = self.users.get(method)
        most = max((self.users.get(split, 0) for split in self.splits()), default=0)
        return users if users and (not most or users < most) else None

    def failed(self, method: str, split: str | None = None) -> tuple[int, int]:
        """How many rows failed of how many (0 of 0 where none did), on a split or on all."""
        found = self.failures.get(method, {})
        rows = [by for name, by in found.items() if split in (None, name)]
        return sum(by["failed"] for by in rows), sum(by["rows"] for by in rows)

    def invalid(self, method: str, split: str | None = None) -> int | None:
        """How many answers are no label, no number or empty, on a split or on all; None where nobody counted."""
        names = self.attributes.get(method, {}) if split is None else [split]
        found = [by["invalid"] for name in names for by in self.metrics(method, name).values() if "invalid" in by]
        return int(sum(found)) if found else None

    def same_averages(self) -> dict[str, float]:
        """The average of every method on the users whom all limited methods (OPPU) served."""
        averages = {}
        for name, scores in self.same_users.items():
            tasks = [score for task, score in scores.items() if task != AVERAGE]
            averages[name] = scores[AVERAGE] if AVERAGE in scores else sum(tasks) / len(tasks)
        return averages


def read_results(path: Path) -> Results:
    """The results of a run's `results.json`. Raises ValueError that names the file and the field."""
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as wrong:
        raise ValueError(f"{path}: no readable JSON ({type(wrong).__name__})") from None
    return parse(raw, str(path))


def parse(raw: Any, where: str = "results") -> Results:
    """The results in a parsed `results.json`; `where` names it in errors (ValueError)."""
    if not isinstance(raw, Mapping) or not isinstance(raw.get("methods"), Mapping) or not raw["methods"]:
        raise ValueError(f'{where}: field "methods": expected {{method: {{split: {{task: score}}}}}}')
    fields = {name: raw.get(name) or kind() for name, kind in KINDS.items()}
    for name, kind in KINDS.items():
        if not isinstance(fields[name], kind):
            raise ValueError(f'{where}: field "{name}": expected a JSON {"list" if kind is list else "object"}')
    check_fields(raw, where)
    provenance = {name: raw[name] for name in PROVENANCE if name in raw}
    return Results(methods=raw["methods"], provenance=provenance, **fields)


PROVENANCE = ("commit", "seed", "seeds", "limit", "dtype", "machine", "versions")
OBJECTS = (
    "intervals", "differences", "attributes", "same_users", "harmed", "drift", "timing", "users", "needs", "failures",
    "gradient_norms", "curves", "judge",
)  # fmt: skip
KINDS: dict[str, type[Any]] = {name: dict for name in OBJECTS} | {"targets": list}
