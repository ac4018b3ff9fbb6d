"""What the judge said: means of 1 to 5 with intervals over users, and how many answers have no score.

What is not judged is counted and never scored. Knows nothing of models or pages.
Source: P2P table 3; issue 4 (an unparsable judgement is recorded, never scored).
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from tailorlm.evaluation.names import in_order, method_name, split_heading, task_name
from tailorlm.evaluation.plan import Plan
from tailorlm.evaluation.runner_judge import Judging
from tailorlm.evaluation.runner_judge_marks import FAULTS, read
from tailorlm.evaluation.runner_judge_pairs import LEFT_OUT, differences
from tailorlm.evaluation.table import AVERAGE
from tailorlm.evaluation.terminal import aligned

By = Mapping[str, Mapping[str, Mapping[str, Any]]]
"""By method, split and task."""


def judged(plan: Plan, work: Judging, resamples: int, seed: int) -> dict[str, Any]:
    """What results.json holds under "judge": whose judgement it is, and what it is."""
    found = read(plan, work)
    return {
        "version": work.line.judge.version,
        "methods": {
            name: {split: marks.table(resamples, seed) for split, marks in by.items()} for name, by in found.items()
        },
        "differences": differences(found, resamples, seed),
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
    methods, gaps = said["methods"], said.get("differences", {})
    splits = dict.fromkeys(split for by in methods.values() for split in by)
    blocks = [[*split_lines(methods, split, users.get(split)), *gap_lines(gaps, split)] for split in splits]
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


def gap_lines(gaps: By, split: str) -> list[str]:
    """The differences on one split; none where there are none."""
    rows = {name: by[split] for name, by in gaps.items() if split in by}
    tasks = sorted({task for by in rows.values() for task in by}, key=lambda task: (task == AVERAGE, task))
    table = [["", *map(task_name, tasks), "left out"]]
    table += [
        [" - ".join(map(method_name, name.split(" - "))), *(cell(by.get(task), "+") for task in tasks),
         missing(list(by.values()), LEFT_OUT)]
        for name, by in rows.items()
    ]  # fmt: skip
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    return ["", "Differences", *(aligned(row, widths) for row in table)] if rows else []


def cell(found: Mapping[str, Any] | None, sign: str = "") -> str:
    """The mean and its interval, with their signs where `sign` is "+"; a dash where there is none."""
    if found is None or "mean" not in found:
        return "-"
    ends = f" ({found['low']:{sign}.2f} to {found['high']:{sign}.2f})" if "low" in found else ""
    return f"{found['mean']:{sign}.2f}{ends}"


def missing(found: Sequence[Mapping[str, Any]], why: Sequence[str] = FAULTS) -> str:
    """How many answers, or pairs of them, have no score, and why."""
    counts = {name: sum(by.get(name, 0) for by in found) for name in why}
    return ", ".join(f"{count:,} {name}" for name, count in counts.items() if count)


def unasked(said: Mapping[str, Any]) -> int:
    """How many judgements failed to be asked."""
    return sum(
        task.get("failed", 0) for by in said["methods"].values() for tasks in by.values() for task in tasks.values()
    )
