"""What a language model says of the answers, from 1 to 5: for each split a table with intervals and what has no
judgement, and one of the differences between methods.

Knows nothing of the page around it. Source: P2P table 3; evaluation/runner_judge_results.py.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from tailorlm.evaluation.grids import Cell, Grid, GridRow
from tailorlm.evaluation.names import in_order, method_name, split_heading, split_name, task_name
from tailorlm.evaluation.quantities import gain
from tailorlm.evaluation.report_merge import NEXT_TO
from tailorlm.evaluation.results import Results
from tailorlm.evaluation.table import AVERAGE
from tailorlm.evaluation.tables import named_row, ranked, tidy

DECIMALS, FAULTS = 2, {"unparsable": "unparsable", "failed": "failed"}
LEFT_OUT = FAULTS | {"alone": "of one method only"}
By = Mapping[str, Mapping[str, Any]]
"""Judgements by task."""


def judge_tables(results: Results) -> list[Grid]:
    """Of each split the means, then the differences; none where nothing was judged."""
    means, gaps = of_splits(results, "methods"), of_splits(results, "differences")
    return [
        made
        for split in results.splits()
        for made in (
            *((table(results, split, means[split]),) if split in means else ()),
            *((gap_table(split, gaps[split]),) if split in gaps else ()),
        )
    ]


def of_splits(results: Results, part: str) -> dict[str, dict[str, By]]:
    """A part of what the judge said, by split."""
    found: dict[str, dict[str, By]] = {}
    for name, by in (results.judge.get(part) or {}).items():
        for split, tasks in by.items():
            found.setdefault(split, {})[name] = tasks
    return found


def table(results: Results, split: str, found: Mapping[str, By]) -> Grid:
    """Rows are methods, columns tasks (the average first) and how many answers have no judgement.

    What several judges said (no one `version`) is not ranked.
    """
    tasks = columns(found)
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


def gap_table(split: str, found: Mapping[str, By]) -> Grid:
    """Rows are comparisons, columns tasks (the average first), the pairs, and what is in none."""
    tasks = columns(found)
    rows = [
        GridRow(
            " against ".join(map(method_name, name.split(NEXT_TO))),
            (*(gap_cell(by.get(task, {})) for task in tasks),
             Cell(f"{sum(one.get('pairs', 0) for one in by.values()):,}"),
             Cell(missing(list(by.values()), LEFT_OUT))),
        )
        for name, by in found.items()
    ]  # fmt: skip
    title = f"{split_name(split)}: differences of the judge's marks, 95% interval over users (marked: without zero)"
    return Grid(title, ("Comparison", *map(task_name, tasks), "Pairs", "Left out"), tuple(rows))


def gap_cell(said: Mapping[str, Any]) -> Cell:
    """A difference, marked where its interval leaves out zero; a dash where there is none."""
    if not {"mean", "low", "high"} <= said.keys():
        return Cell()
    kind = "right" if said["low"] > 0 else "wrong" if said["high"] < 0 else "unclear"
    return Cell(signed(said["mean"]), f"{signed(said['low'])} to {signed(said['high'])}", "", kind)


def signed(value: float) -> str:
    """A difference of marks, with a true minus."""
    return gain(value / 100, DECIMALS)


def columns(found: Mapping[str, By]) -> list[str]:
    """The tasks, the average first."""
    every = dict.fromkeys(task for by in found.values() for task in by)
    return sorted(every, key=lambda task: (task != AVERAGE, task))


def cell(said: Mapping[str, Any], rank: str) -> Cell:
    """A mean with its interval; a dash where there is none."""
    if "mean" not in said:
        return Cell()
    ends = f"{said['low']:.{DECIMALS}f} to {said['high']:.{DECIMALS}f}" if {"low", "high"} <= said.keys() else ""
    return Cell(f"{tidy(said['mean']):.{DECIMALS}f}", ends, rank)


def missing(said: Sequence[Mapping[str, Any]], why: Mapping[str, str] = FAULTS) -> str:
    """How many answers, or pairs, have no judgement, and why."""
    counts = {told: sum(by.get(name, 0) for by in said) for name, told in why.items()}
    return ", ".join(f"{count:,} {name}" for name, count in counts.items() if count) or "0"
