"""What a run found, read from its `results.json`: checked once, so that pages and tables need not.

Knows nothing of how it is shown. Only `methods` must be there; what a run did not measure is empty.
Source: issue 2 section 3 (results.json).
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tailorlm.evaluation.table import AVERAGE

Scores = Mapping[str, float]
BySplit = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Results:
    """The fields of `results.json`; scores are shares 0..1, `methods[name][split][task]`."""

    methods: Mapping[str, Mapping[str, Scores]]
    intervals: Mapping[str, BySplit]
    differences: Mapping[str, BySplit]
    attributes: Mapping[str, BySplit]
    same_users: Mapping[str, Scores]
    harmed: Mapping[str, Scores]
    drift: Scores
    timing: Mapping[str, Any]
    users: Mapping[str, int]
    curves: Mapping[str, list[Mapping[str, float]]]
    targets: list[Mapping[str, Any]]
    provenance: Mapping[str, Any]

    def splits(self) -> list[str]:
        """The splits that any method has: `random` first, then `ood`, then others by name."""
        found = {split for scores in self.methods.values() for split in scores}
        return sorted(found, key=lambda split: (split != "random", split != "ood", split))

    def tasks(self) -> list[str]:
        """The tasks in the order of the file, "average" last."""
        every = [task for scores in self.methods.values() for rows in scores.values() for task in rows]
        return [*(task for task in dict.fromkeys(every) if task != AVERAGE), AVERAGE]

    def columns(self) -> list[str]:
        """The tasks with "average" first: on a narrow screen the first column is what is seen."""
        return sorted(self.tasks(), key=lambda task: task != AVERAGE)

    def score(self, method: str, split: str, task: str) -> float | None:
        """A score, or None where the method was not measured."""
        return self.methods.get(method, {}).get(split, {}).get(task)

    def interval(self, method: str, split: str, task: str) -> tuple[float, float] | None:
        """The interval of a score, or None where none was computed."""
        found = self.intervals.get(method, {}).get(split, {}).get(task)
        return (float(found[0]), float(found[1])) if found else None

    def same_averages(self) -> dict[str, float]:
        """The average of every method on the users that OPPU was measured on."""
        averages = {}
        for name, scores in self.same_users.items():
            tasks = [score for task, score in scores.items() if task != AVERAGE]
            averages[name] = scores[AVERAGE] if AVERAGE in scores else sum(tasks) / len(tasks)
        return averages


def read_results(path: Path) -> Results:
    """The results of a run's `results.json`. Raises ValueError that names the file and the field."""
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as wrong:
        raise ValueError(f"{path}: no readable JSON ({type(wrong).__name__})") from None
    return parse(raw, str(path))


def parse(raw: Any, where: str = "results") -> Results:
    """The results in a parsed `results.json`; `where` names it in errors (ValueError)."""
    if not isinstance(raw, Mapping) or not isinstance(raw.get("methods"), Mapping) or not raw["methods"]:
        raise ValueError(f'{where}: field "methods": expected {{method: {{split: {{task: score}}}}}}')
    check_scores(raw["methods"], f"{where}: methods")
    check_scores(raw.get("same_users", {}), f"{where}: same_users")
    fields = {name: raw.get(name) or kind() for name, kind in KINDS.items()}
    for name, kind in KINDS.items():
        if not isinstance(fields[name], kind):
            raise ValueError(
                f'{where}: field "{name}": expected a JSON {"list" if kind is list else "object"}'
            )
    provenance = {name: raw[name] for name in PROVENANCE if name in raw}
    return Results(methods=raw["methods"], provenance=provenance, **fields)


PROVENANCE = ("commit", "seed", "dtype", "machine", "versions")
OBJECTS = (
    "intervals",
    "differences",
    "attributes",
    "same_users",
    "harmed",
    "drift",
    "timing",
    "users",
    "curves",
)
KINDS: dict[str, type[Any]] = {name: dict for name in OBJECTS} | {"targets": list}


def check_scores(value: Any, where: str) -> None:
    """Raises ValueError with the place of the first score that is no finite number in 0..1."""
    if isinstance(value, Mapping):
        for name, inner in value.items():
            check_scores(inner, f"{where}.{name}")
    elif isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"{where}: expected a finite number, found {type(value).__name__}")
    elif not 0 <= value <= 1:
        raise ValueError(f"{where}: {value:g}: expected a score from 0 to 1")
