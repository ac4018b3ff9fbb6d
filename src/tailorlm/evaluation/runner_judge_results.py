"""What the judge said: means of 1 to 5 with intervals over users, and how many answers have no score.

What is not judged is counted and never scored; several seeds: an example's score is the mean over them. Knows nothing
of models or pages. Source: P2P table 3; issue 4 (an unparsable judgement is recorded, never scored).
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tailorlm.evaluation.names import in_order, method_name, split_heading, task_name
from tailorlm.evaluation.plan import Plan
from tailorlm.evaluation.rows import read_as
from tailorlm.evaluation.runner_judge import Judging
from tailorlm.evaluation.runner_judge_sheets import Judged
from tailorlm.evaluation.scores import Answer
from tailorlm.evaluation.table import AVERAGE, intervals, summary
from tailorlm.evaluation.terminal import aligned

FAULTS = ("unparsable", "failed")
By = Mapping[str, Mapping[str, Mapping[str, Any]]]
"""By method, split and task."""


@dataclass
class Marks:
    """What the judge said of a method on a split."""

    scores: dict[tuple[str, str, str], list[int]] = field(default_factory=dict)
    counts: dict[str, Counter[str]] = field(default_factory=dict)
    reasons: Counter[str] = field(default_factory=Counter)

    def add(self, row: Judged) -> None:
        """Count a judgement in."""
        self.counts.setdefault(row.task, Counter())[row.fault or "judged"] += 1
        if row.score is not None:
            self.scores.setdefault((row.example_id, row.user_id, row.task), []).append(row.score)
        else:
            self.reasons[row.reason] += 1

    def answers(self) -> list[Answer]:
        """A score an example."""
        return [
            Answer(example, user, task, "", "", sum(said) / len(said))
            for (example, user, task), said in self.scores.items()
        ]

    def table(self, resamples: int, seed: int) -> dict[str, dict[str, Any]]:
        """By task (and "average", where there are several) the mean, its interval where there is one, and counts."""
        answers = self.answers()
        means = summary(answers) if answers else {}
        ends = intervals(answers, resamples, seed) if answers else {}
        shown = {
            task: {"mean": mean, **(dict(zip(("low", "high"), ends[task], strict=True)) if task in ends else {})}
            for task, mean in means.items()
        }
        counted = {
            task: shown.get(task, {}) | {name: counts[name] for name in ("judged", *FAULTS)}
            for task, counts in sorted(self.counts.items())
        }
        # A mean over the tasks needs a score of each.
        whole = len(counted) > 1 and all(task in shown for task in counted)
        return counted | ({AVERAGE: shown[AVERAGE]} if whole else {})


def read(plan: Plan, work: Judging) -> dict[str, dict[str, Marks]]:
    """The judgements of every method on every split; a part in memory at a time."""
    found: dict[str, dict[str, Marks]] = {}
    for cell, path in plan.parts():
        part = work.folder / path.relative_to(plan.folder)
        if work.wants(cell) and part.exists():
            marks = found.setdefault(cell.method.name, {}).setdefault(cell.split, Marks())
            for row in read_as(Judged, part):
                marks.add(row)
    return found


def judged(plan: Plan, work: Judging, resamples: int, seed: int) -> dict[str, Any]:
    """What results.json holds under "judge": whose judgement it is, and what it is."""
    found = read(plan, work)
    return {
        "version": work.line.judge.version,
        "methods": {
            name: {split: marks.table(resamples, seed) for split, marks in by.items()} for name, by in found.items()
        },
        "reasons": dict(
            sum((marks.reasons for by in found.values() for marks in by.values()), Counter()).most_common(5)
        ),
    }


def beside(attributes: By, said: By) -> dict[str, dict[str, dict[str, Any]]]:
    """The tasks' own metrics with the judge's mean as one more, and its counts."""
    made = {name: {split: dict(tasks) for split, tasks in by.items()} for name, by in attributes.items()}
    for name, by in said.items():
        for split, tasks in by.items():
            own = made.setdefault(name, {}).setdefault(split, {})
            for task, found in tasks.items():
                if task != AVERAGE:
                    own[task] = {**own.get(task, {}), **metrics(found)}
    return made


def metrics(found: Mapping[str, Any]) -> dict[str, float]:
    """A task's judgements as metrics: `judge`, the mean, where there is one; and counts."""
    mean = {"judge": found["mean"]} if "mean" in found else {}
    return mean | {name: float(found[name]) for name in ("judged", *FAULTS)}


def lines(said: Mapping[str, Any], users: Mapping[str, int]) -> list[str]:
    """The judge's table in the terminal: a row a method, a column a task, and what is not judged."""
    methods: By = said["methods"]
    splits = dict.fromkeys(split for by in methods.values() for split in by)
    blocks = [split_lines(methods, split, users.get(split)) for split in splits]
    reasons = [f"not judged, {count:,} times: {reason}" for reason, count in said["reasons"].items()]
    if not blocks:
        return []
    return [
        "",
        f"The judge, 1 to 5 ({said['version']})",
        *(line for block in blocks for line in ("", *block)),
        *reasons,
    ]


def split_lines(methods: By, split: str, users: int | None) -> list[str]:
    """The table of one split."""
    rows = {name: methods[name][split] for name in in_order(methods) if split in methods[name]}
    tasks = sorted({task for by in rows.values() for task in by}, key=lambda task: (task == AVERAGE, task))
    table = [["", *map(task_name, tasks), "not judged"]]
    table += [
        [method_name(name), *(cell(by.get(task)) for task in tasks), missing(list(by.values()))]
        for name, by in rows.items()
    ]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    return [split_heading(split, users), *(aligned(row, widths) for row in table)]


def cell(found: Mapping[str, Any] | None) -> str:
    """The mean and its interval; a dash where there is none."""
    if found is None or "mean" not in found:
        return "-"
    ends = f" ({found['low']:.2f} to {found['high']:.2f})" if "low" in found else ""
    return f"{found['mean']:.2f}{ends}"


def missing(found: Sequence[Mapping[str, Any]]) -> str:
    """How many answers have no score, and why."""
    counts = {name: sum(by.get(name, 0) for by in found) for name in FAULTS}
    return ", ".join(f"{count:,} {name}" for name, count in counts.items() if count)


def unasked(said: Mapping[str, Any]) -> int:
    """How many judgements failed to be asked."""
    return sum(
        task.get("failed", 0) for by in said["methods"].values() for tasks in by.values() for task in tasks.values()
    )
