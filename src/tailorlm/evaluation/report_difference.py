"""What tells runs apart: the settings of their recipes that are not the same in all of them.

Knows nothing of what a setting does.
"""

from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import Any

from tailorlm.evaluation.grids import Cell, Grid, GridRow
from tailorlm.evaluation.quantities import DASH
from tailorlm.evaluation.report_run import Run
from tailorlm.evaluation.report_sweep import flattened

ASIDE = ("data.root", "base.device", "encoder.cache", "*.users_at_once", "*.batch", "eval.resamples")
"""Settings of the machine, not of the comparison."""
MORE = "\N{HORIZONTAL ELLIPSIS}"
MOST, LONGEST, BESIDE = 6, 60, 4
"""Settings, letters of a value, and runs beside each other, at most; more runs are a row each."""
Facts = dict[str, list[str]]
"""What is said of every run, by what it is."""


def runs_table(runs: Sequence[Run]) -> Grid | None:
    """Users asked, what sets the runs apart, their commits: a column a run, or of many runs a row; None of one."""
    if len(runs) < 2:
        return None
    told, title = facts(runs), "The runs, and the settings that differ"
    names = [run.name for run in runs]
    if len(runs) <= BESIDE:
        return grid(title, ["", *names], [[name, *values] for name, values in told.items()])
    return grid(title, ["Run", *told], [[name, *values] for name, *values in zip(names, *told.values(), strict=True)])


def grid(title: str, heads: Sequence[str], rows: Sequence[Sequence[str]]) -> Grid:
    """A table of texts."""
    return Grid(title, tuple(heads), tuple(GridRow(row[0], tuple(map(Cell, row[1:]))) for row in rows), "facts-of-runs")


def facts(runs: Sequence[Run]) -> Facts:
    """Users, the first settings that differ, how many more do, seed and commit."""
    settings, flats = odd_settings(runs), [flattened(run.recipe) for run in runs]
    found = {"Users": [users(run) for run in runs]}
    found |= {name: said_of([flat.get(name) for flat in flats]) for name in settings[:MOST]}
    if len(settings) > MOST:
        found["Other settings"] = [f"{len(settings) - MOST} more differ"] * len(runs)
    known = [run.results.provenance for run in runs]
    return found | {name.capitalize(): [str(one.get(name, DASH)) for one in known] for name in ("seed", "commit")}


def users(run: Run) -> str:
    """How many users were asked, by split."""
    counts = run.results.users
    return ", ".join(f"{counts[split]:,} {split}" for split in run.results.splits() if split in counts) or DASH


def odd_settings(runs: Sequence[Run]) -> list[str]:
    """The paths of settings that are not the same in all runs that have a recipe."""
    flats = [flattened(run.recipe) for run in runs if run.recipe]
    every = dict.fromkeys(path for flat in flats for path in flat)
    return [
        path
        for path in every
        if any(flat.get(path) != flats[0].get(path) for flat in flats)
        and not any(fnmatchcase(path, pattern) for pattern in ASIDE)
    ]


def said_of(values: Sequence[Any]) -> list[str]:
    """A setting of each run in few words; of lists what is not in all of them."""
    lists = [list(map(name_of, value)) for value in values if isinstance(value, list)]
    if len(lists) < len(values):
        return [said(value) for value in values]
    own = [[name for name in names if not all(name in other for other in lists)] for names in lists]
    return [said(names) if not any(own) else said([MORE, *odd] if len(odd) < len(names) else odd)
            for names, odd in zip(lists, own, strict=True)]  # fmt: skip


def said(value: Any) -> str:
    """A setting in few words."""
    text = DASH if value is None else ", ".join(map(name_of, value)) if isinstance(value, list) else str(value)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}{MORE}"


def name_of(value: Any) -> str:
    """An item of a list: a table by its name."""
    return str(value.get("name", "table")) if isinstance(value, dict) else str(value)
