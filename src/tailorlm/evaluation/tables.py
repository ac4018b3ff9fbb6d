"""The tables of scores: methods by tasks, the papers' averages, differences, and every metric of every task.

Knows nothing of the page around them.
"""

from collections.abc import Iterable, Mapping, Sequence

from tailorlm.evaluation.grids import Cell, Grid, GridRow
from tailorlm.evaluation.names import (
    CEILINGS,
    in_order,
    method_kind,
    method_name,
    method_note,
    plain_name,
    row_name,
    split_heading,
    split_name,
    task_name,
)
from tailorlm.evaluation.quantities import gain, points
from tailorlm.evaluation.report_averages import LOWER, columns, metric_name
from tailorlm.evaluation.report_merge import NEXT_TO
from tailorlm.evaluation.report_significance import Against
from tailorlm.evaluation.results import Results
from tailorlm.evaluation.scores import COUNTS, STYLE

LESS = " (less is better)"
SHOWN = 3
"""Decimals of a share that are shown: points with one."""
CROWD = 3
"""Rows of one value that are too many to be the 2nd."""
CLEAR = 0.05
"""The p-value below which a difference is more than luck."""


def named_row(results: Results, name: str, cells: Iterable[Cell], note: str = "") -> GridRow:
    """A method's row."""
    return GridRow(row_name(name, results.few(name)), tuple(cells), method_kind(name), note)


def score_table(results: Results, split: str) -> Grid:
    """A row a method with score and interval a task; best and second best marked."""
    tasks, measured = results.columns(), measured_on(results, split)
    ranks = {task: ranked(results, {name: results.score(name, split, task) for name in measured}) for task in tasks}
    first = {plain_name(name): name for name in reversed(measured)}
    rows = [
        named_row(results, name, (score_cell(results, name, split, task, ranks[task].get(name, "")) for task in tasks),
                  noted(results, name, split, first[plain_name(name)] == name))
        for name in measured
    ]  # fmt: skip
    caption = f"{split_heading(split, results.users.get(split))}: score from 0 to 100, 95% interval below"
    return Grid(caption, ("Method", *map(task_name, tasks)), tuple(rows), "scores")


def measured_on(results: Results, split: str) -> list[str]:
    """The methods with a score on a split."""
    return [name for name in in_order(results.methods) if split in results.methods[name]]


def noted(results: Results, name: str, split: str, told: bool) -> str:
    """What a method is, where it is to be `told`, and how many of its rows failed."""
    failed, rows = results.failed(name, split)
    odd = f" {failed:,} of {rows:,} rows failed: the score is of the others." if failed else ""
    return ((method_note(name, results.few(name), results.notes.get(name, "")) if told else "") + odd).strip()


def ranked(
    results: Results, values: Mapping[str, float | None], lower: bool = False, decimals: int = SHOWN
) -> dict[str, str]:
    """Which method is best and which 2nd by its value, among rows that compare; what reads alike is marked alike.

    Two that are best leave no 2nd, nor does a crowd have the second place. Nothing is marked where all are alike, as
    where there is one row.
    """
    found = {name: value for name, value in values.items() if value is not None and comparable(results, name)}
    known = {name: float(f"{tidy(value):.{decimals}f}") for name, value in found.items()}
    top = sorted(set(known.values()), reverse=not lower)[:2]
    best = [name for name in known if known[name] == top[0]] if len(top) > 1 else []
    second = [name for name in known if known[name] == top[1]] if len(best) == 1 else []
    return dict.fromkeys(best, "best") | (dict.fromkeys(second, "2nd") if len(second) < CROWD else {})


def tidy(value: float) -> float:
    """A number without the noise of its last bits, so that equal numbers read alike."""
    return round(value, 9)


def comparable(results: Results, name: str) -> bool:
    """Whether a row is ranked: not a ceiling, nor one that served some users only."""
    return plain_name(name) not in CEILINGS and results.few(name) is None


def score_cell(results: Results, name: str, split: str, task: str, rank: str) -> Cell:
    """A score, its mark and its interval."""
    score, ends = results.score(name, split, task), results.interval(name, split, task)
    shown = None if score is None else tidy(score)
    return Cell(points(shown), f"{points(ends[0])} to {points(ends[1])}" if ends and score is not None else "", rank)


def average_table(results: Results, split: str) -> Grid | None:
    """The averages as the papers' tables have them; None where no two tasks have such metrics."""
    found = columns(results, split)
    if not found:
        return None
    ranks = [ranked(results, one.values, one.lower) for one in found]
    names = in_order({name for one in found for name in one.values})
    rows = [
        named_row(results, name, (metric_cell(one.values.get(name), rank.get(name, ""))
                                  for one, rank in zip(found, ranks, strict=True)))
        for name in names
    ]  # fmt: skip
    heads = (f"{one.title}{LESS if one.lower else ''}" for one in found)
    return Grid(f"{split_name(split)}: averages as in the papers' tables", ("Method", *heads), tuple(rows), "averages")


def significance_table(
    results: Results, reference: str, split: str, found: Mapping[str, Mapping[str, Against]]
) -> Grid | None:
    """A row a method: its difference from the reference a task, with interval and corrected p."""
    names = in_order({name for by in found.values() for name in by})
    rows = [
        named_row(results, name, (against_cell(found.get(task, {}).get(name)) for task in results.columns()))
        for name in names
    ]
    title = f"{split_name(split)}: points above {method_name(reference)}, 95% interval, p after Holm's correction"
    return Grid(title, ("Method", *map(task_name, results.columns())), tuple(rows)) if rows else None


def against_cell(found: Against | None) -> Cell:
    """A difference: an arrow up or down where it is more than luck, a tilde where it may be luck."""
    if found is None:
        return Cell()
    kind = "unclear" if found.p_holm >= CLEAR else "right" if found.mean > 0 else "wrong"
    ends = "" if found.low is None or found.high is None else f"{gain(found.low)} to {gain(found.high)}\n"
    return Cell(gain(found.mean), f"{ends}p {chance(found.p_holm)}", "", kind)


def chance(p: float) -> str:
    """A p-value in words."""
    return "< 0.001" if p < 0.001 else f"{p:.3f}" if p < 0.1 else f"{p:.2f}"


def difference_tables(results: Results, reference: str | None = None) -> list[Grid]:
    """Paired differences a split: a row a comparison, a cell a task; without those with the `reference`."""
    tables = []
    for split in results.splits():
        rows = [
            difference_row(name, found[split], results.columns())
            for name, found in results.differences.items()
            if split in found and reference not in name.split(NEXT_TO)
        ]
        caption = f"{split_name(split)}: difference in points, 95% interval over users"
        tables += [Grid(caption, ("Comparison", *map(task_name, results.columns())), tuple(rows))] if rows else []
    return tables


def difference_row(name: str, found: Mapping[str, Mapping[str, float]], tasks: Sequence[str]) -> GridRow:
    """One comparison; a cell is marked where its interval leaves out zero."""
    title = " against ".join(method_name(part) for part in name.split(NEXT_TO))
    return GridRow(title, tuple(difference_cell(found.get(task)) for task in tasks))


def difference_cell(found: Mapping[str, float] | None) -> Cell:
    """Mean and interval."""
    if found is None:
        return Cell()
    kind = "right" if found["low"] > 0 else "wrong" if found["high"] < 0 else "unclear"
    return Cell(gain(found["mean"]), f"{gain(found['low'])} to {gain(found['high'])}", "", kind)


def metric_tables(results: Results) -> list[Grid]:
    """What the tasks' own metrics say, a table a task and split: rows are methods, columns metrics."""
    return [
        made
        for split in results.splits()
        for task in results.tasks()
        if (made := metric_table(results, split, task)) is not None
    ]


def metric_table(results: Results, split: str, task: str) -> Grid | None:
    """The metrics of one task on one split, style aside, which is drawn; None where there are none."""
    found = {name: row for name in in_order(results.attributes) if (row := results.metrics(name, split).get(task, {}))}
    names = [name for name in dict.fromkeys(key for row in found.values() for key in row) if name not in STYLE]
    if not names:
        return None
    ranks = {key: ranked(results, {name: row.get(key) for name, row in found.items()}, key in LOWER)
             for key in names if key not in COUNTS}  # fmt: skip
    rows = [
        named_row(
            results, name, (metric_cell(row.get(key), ranks.get(key, {}).get(name, ""), key in COUNTS) for key in names)
        )
        for name, row in found.items()
    ]
    return Grid(f"{task_name(task)}, {split_name(split).lower()}", ("Method", *map(head, names)), tuple(rows))


def head(name: str) -> str:
    """A metric's column."""
    return f"{metric_name(name)}{LESS if name in LOWER else ''}"


def metric_cell(value: float | None, rank: str = "", count: bool = False) -> Cell:
    """A number with three decimals, or a whole one where it is a `count`."""
    if value is None:
        return Cell()
    return Cell(f"{value:,.0f}" if count else f"{tidy(value):.{SHOWN}f}".replace("-", "\N{MINUS SIGN}"), "", rank)
