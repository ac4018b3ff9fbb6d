"""What a language model says of the answers, from 1 to 5: a table a split, with intervals and what has no judgement.

Knows nothing of the page around it. Source: P2P table 3; evaluation/runner_judge_results.py.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from tailorlm.evaluation.grids import Cell, Grid
from tailorlm.evaluation.names import in_order, split_heading, task_name
from tailorlm.evaluation.results import Results
from tailorlm.evaluation.table import AVERAGE
from tailorlm.evaluation.tables import named_row, ranked, tidy

FAULTS, DECIMALS = ("unparsable", "failed"), 2
By = Mapping[str, Mapping[str, Any]]
"""Judgements by method and task."""


def judge_tables(results: Results) -> list[Grid]:
    """A table a split; none where nothing was judged."""
    found: Mapping[str, By] = results.judge.get("methods") or {}
    splits = [split for split in results.splits() if any(split in by for by in found.values())]
    return [table(results, split, {name: found[name][split] for name in found if split in found[name]})
            for split in splits]  # fmt: skip


def table(results: Results, split: str, found: By) -> Grid:
    """Rows are methods, columns tasks (the average first) and how many answers have no judgement.

    What several judges said (no one `version`) is not ranked.
    """
    every = dict.fromkeys(task for by in found.values() for task in by)
    tasks = sorted(every, key=lambda task: (task != AVERAGE, task))
    rivals = list(found) if results.judge.get("version") else []
    ranks = {
        task: ranked(results, {name: found[name].get(task, {}).get("mean") for name in rivals}, decimals=DECIMALS)
        for task in tasks
    }
    rows = [
        named_row(results, name, (*(cell(found[name].get(task, {}), ranks[task].get(name, "")) for task in tasks),
                                  Cell(missing(list(found[name].values())))))
        for name in in_order(found)
    ]  # fmt: skip
    title = f"{split_heading(split, results.users.get(split))}: what the judge says, from 1 to 5, 95% interval below"
    return Grid(title, ("Method", *map(task_name, tasks), "Not judged"), tuple(rows))


def cell(said: Mapping[str, Any], rank: str) -> Cell:
    """A mean with its interval; a dash where there is none."""
    if "mean" not in said:
        return Cell()
    ends = f"{said['low']:.{DECIMALS}f} to {said['high']:.{DECIMALS}f}" if {"low", "high"} <= said.keys() else ""
    return Cell(f"{tidy(said['mean']):.{DECIMALS}f}", ends, rank)


def missing(said: Sequence[Mapping[str, Any]]) -> str:
    """How many answers have no judgement, and why."""
    counts = {name: sum(by.get(name, 0) for by in said) for name in FAULTS}
    return ", ".join(f"{count:,} {name}" for name, count in counts.items() if count) or "0"
