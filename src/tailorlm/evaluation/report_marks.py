"""The score of every example under every method, from a run's Parquet rows or, where there are none, its answers.

Of users' texts only digests of targets are kept: they tell whether two runs asked the same people, whatever their ids.
Several seeds: an example's score is the mean over them. Knows nothing of how it is shown. Source: issue 4 (a row an
example).
"""

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tailorlm.evaluation.answers import read_rows
from tailorlm.evaluation.report_rows import method_of, part_rows
from tailorlm.evaluation.results import Results
from tailorlm.evaluation.rows import STATE
from tailorlm.evaluation.scores import score_answers

Key = tuple[str, str, str]
"""(example, user, task)."""


@dataclass(frozen=True, slots=True)
class Made:
    """How a method was made: `about` is all that decided its answers, as plain values."""

    adapter: str
    context: str
    about: Mapping[str, Any]


@dataclass(slots=True)
class Spent:
    """What personalising took on one task: seconds by (user, seed), and bytes of memory at most.

    `making`: likewise the seconds of adapters that were made for single queries. `own`: whether anything was
    made for anybody: an adapter that all share is not.
    """

    seconds: dict[tuple[str, int], float] = field(default_factory=dict)
    making: dict[tuple[str, int], float] = field(default_factory=dict)
    peak: int = 0
    own: bool = False

    @property
    def mean(self) -> float | None:
        """Seconds a user and seed, with the adapters of all that the user asked; None where that was not measured."""
        if not self.seconds:
            return None
        made = sum(self.making.values()) / len(self.making) if self.making else 0.0
        return sum(self.seconds.values()) / len(self.seconds) + made


@dataclass(slots=True)
class Marks:
    """Scores (0..1) by method and split, then by example; what methods took by method, split and task.

    `history` is by (user, task): how many items the user has; empty where the run does not say. `asked` is by
    (split, task): who was asked, each as (user, digest of the target), whatever came of it.
    """

    scores: dict[tuple[str, str], dict[Key, float]] = field(default_factory=dict)
    spent: dict[tuple[str, str, str], Spent] = field(default_factory=dict)
    history: dict[tuple[str, str], int] = field(default_factory=dict)
    asked: dict[tuple[str, str], set[tuple[str, str]]] = field(default_factory=dict)
    made: dict[str, Made] = field(default_factory=dict)


def read_marks(folder: Path, results: Results) -> Marks:
    """The marks of a run's folder; none at all where it has neither rows nor answers. ValueError names the file.

    Rows of methods, splits or parts that the results are not of (an earlier recipe's, kept by --resume) do not count.
    """
    parts = sorted((folder / "rows").rglob("part-*.parquet"))
    if parts:
        last = last_parts(folder / "rows" / STATE)
        return of_parts([one for one in parts if last is None or one in last], results)
    answers = folder / "answers.jsonl"
    return of_answers(answers) if answers.exists() else Marks()


def last_parts(state: Path) -> frozenset[Path] | None:
    """The parts of the last evaluation, as its state says them; None where it says none (an older run's)."""
    try:
        said = json.loads(state.read_text(encoding="utf-8")) if state.exists() else {}
    except (ValueError, RecursionError) as wrong:
        raise ValueError(f"{state}: no readable JSON ({type(wrong).__name__})") from None
    parts = said.get("parts") if isinstance(said, dict) else None
    if parts is None:
        return None
    if not isinstance(parts, list) or not all(isinstance(one, str) for one in parts):
        raise ValueError(f'{state}: expected "parts", a list of file names')
    return frozenset(state.parent / one for one in parts)


def of_parts(parts: Sequence[Path], results: Results) -> Marks:
    """The marks in Parquet parts, of the methods and splits that the results have."""
    marks = Marks()
    seeds: dict[tuple[str, str, Key], list[float]] = {}
    known: dict[Key, Key] = {}
    for path in parts:
        about = method_of(path)
        for row in part_rows(path):
            if not results.has(row["method"], row["split"]):
                continue
            marks.made.setdefault(row["method"], Made(row["adapter"], row["context"], about))
            told: Key = (row["example_id"], row["user_id"], row["task"])
            said = known.setdefault(told, told)
            note(marks, row)
            spend(marks, row)
            if row["score"] is not None:
                seeds.setdefault((row["method"], row["split"], said), []).append(row["score"])
    for (method, split, said), found in seeds.items():
        marks.scores.setdefault((method, split), {})[said] = sum(found) / len(found)
    return marks


def note(marks: Marks, row: Mapping[str, Any]) -> None:
    """Keep who was asked, and how long the user's history is."""
    user, task = row["user_id"], row["task"]
    marks.history[user, task] = max(row["history_items"], marks.history.get((user, task), 0))
    marks.asked.setdefault((row["split"], task), set()).add((user, digest(row["target"])))


def digest(text: str) -> str:
    """A text as a few bytes that say nothing of it."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def spend(marks: Marks, row: Mapping[str, Any]) -> None:
    """Count in what a row says of time and memory."""
    spent = marks.spent.setdefault((row["method"], row["split"], row["task"]), Spent())
    spent.peak = max(spent.peak, row["peak_cuda"] or row["peak_rss"] or 0)
    owner, made = (row["user_id"], row["seed"]), row["adapter_seconds"] or 0.0
    spent.own = spent.own or bool(row["kept_bytes"] or made)
    spent.making[owner] = spent.making.get(owner, 0.0) + made
    if row["enrol_seconds"] is not None:
        # As in the runner's costs: of what a user's rows say, the largest share is what was measured.
        spent.seconds[owner] = max(spent.seconds.get(owner, 0.0), row["enrol_seconds"])


def of_answers(path: Path) -> Marks:
    """The marks of a file of answers, scored here; how methods were made is not in it.

    An example has no id there: it is known by a digest of what is asked, and by its number among equal ones.
    """
    texts: dict[tuple[str, str, str], tuple[list[Key], list[str], list[str]]] = {}
    marks, equal = Marks(), Counter[tuple[str, str, str, str]]()
    for row in read_rows(path):
        name = digest(row.input)
        equal[row.split, name, row.user_id, row.task] += 1
        key = (f"{name}-{equal[row.split, name, row.user_id, row.task]}", row.user_id, row.task)
        marks.asked.setdefault((row.split, row.task), set()).add((row.user_id, digest(row.target)))
        for method, output in row.outputs.items():
            keys, outputs, targets = texts.setdefault((method, row.split, row.task), ([], [], []))
            keys.append(key)
            outputs.append(output)
            targets.append(row.target)
    for (method, split, task), (keys, outputs, targets) in texts.items():
        scores = score_answers(task, outputs, targets)
        marks.scores.setdefault((method, split), {}).update(zip(keys, scores, strict=True))
    return marks
