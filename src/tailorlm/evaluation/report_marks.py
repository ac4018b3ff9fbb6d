"""The score of every example under every method, from a run's Parquet rows or, in older runs, from its answers.

Reads columns without users' texts where there are rows. Several seeds: an example's score is the mean over them.
Knows nothing of how it is shown. Source: issue 4 (a row an example).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from tailorlm.evaluation.answers import read_rows
from tailorlm.evaluation.rows import read_about
from tailorlm.evaluation.scores import score_answers

Key = tuple[str, str, str]
"""(example, user, task)."""
COLUMNS = (
    "example_id", "user_id", "task", "method", "split", "seed", "adapter", "context", "history_items", "score",
    "enrol_seconds", "peak_rss", "peak_cuda",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Made:
    """How a method was made: `about` is all that decided its answers, as plain values."""

    adapter: str
    context: str
    about: Mapping[str, Any]


@dataclass(slots=True)
class Spent:
    """What personalising took on one task: seconds of each user, and bytes of memory at most."""

    seconds: dict[str, float] = field(default_factory=dict)
    peak: int = 0

    @property
    def mean(self) -> float | None:
        """Seconds a user; None where that was not measured."""
        return sum(self.seconds.values()) / len(self.seconds) if self.seconds else None


@dataclass(slots=True)
class Marks:
    """Scores (0..1) by method and split, then by example; what methods took by method, split and task.

    `history` is by user: how many items the user has; empty where the run does not say.
    """

    scores: dict[tuple[str, str], dict[Key, float]] = field(default_factory=dict)
    spent: dict[tuple[str, str, str], Spent] = field(default_factory=dict)
    history: dict[str, int] = field(default_factory=dict)
    made: dict[str, Made] = field(default_factory=dict)


def read_marks(folder: Path) -> Marks:
    """The marks of a run's folder; none at all where it has neither rows nor answers. ValueError names the file."""
    parts = sorted((folder / "rows").rglob("part-*.parquet"))
    if parts:
        return of_parts(parts)
    answers = folder / "answers.jsonl"
    return of_answers(answers) if answers.exists() else Marks()


def of_parts(parts: list[Path]) -> Marks:
    """The marks in Parquet parts."""
    marks = Marks()
    seeds: dict[tuple[str, str, Key], list[float]] = {}
    known: dict[Key, Key] = {}
    for path in parts:
        about = read_about(path)["method"]
        for row in part_rows(path):
            marks.made.setdefault(row["method"], Made(row["adapter"], row["context"], about))
            marks.history[row["user_id"]] = row["history_items"]
            spend(marks, row)
            if row["score"] is not None:
                said: Key = (row["example_id"], row["user_id"], row["task"])
                place = (row["method"], row["split"], known.setdefault(said, said))
                seeds.setdefault(place, []).append(row["score"])
    for (method, split, said), found in seeds.items():
        marks.scores.setdefault((method, split), {})[said] = sum(found) / len(found)
    return marks


def part_rows(path: Path) -> Iterator[dict[str, Any]]:
    """The columns of a part that hold no text. ValueError where one is missing."""
    missing = [name for name in COLUMNS if name not in pq.read_schema(path).names]
    if missing:
        raise ValueError(f"{path} has no column {', '.join(missing)}: expected rows of `tailor eval`")
    for batch in pq.ParquetFile(path).iter_batches(columns=list(COLUMNS)):
        yield from batch.to_pylist()


def spend(marks: Marks, row: Mapping[str, Any]) -> None:
    """Count in what a row says of time and memory."""
    spent = marks.spent.setdefault((row["method"], row["split"], row["task"]), Spent())
    spent.peak = max(spent.peak, row["peak_cuda"] or row["peak_rss"] or 0)
    if row["enrol_seconds"] is not None:
        user = row["user_id"]
        spent.seconds[user] = max(spent.seconds.get(user, 0.0), row["enrol_seconds"])


def of_answers(path: Path) -> Marks:
    """The marks of a file of answers, scored here; how methods were made is not in it."""
    texts: dict[tuple[str, str, str], tuple[list[Key], list[str], list[str]]] = {}
    for number, row in enumerate(read_rows(path)):
        for method, output in row.outputs.items():
            keys, outputs, targets = texts.setdefault((method, row.split, row.task), ([], [], []))
            keys.append((str(number), row.user_id, row.task))
            outputs.append(output)
            targets.append(row.target)
    marks = Marks()
    for (method, split, task), (keys, outputs, targets) in texts.items():
        scores = score_answers(task, outputs, targets)
        marks.scores.setdefault((method, split), {}).update(zip(keys, scores, strict=True))
    return marks
