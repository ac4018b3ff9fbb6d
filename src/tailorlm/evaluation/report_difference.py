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
MOST, LONGEST = 6, 40


def runs_table(runs: Sequence[Run]) -> Grid | None:
    """A row a run: users asked, what sets it apart, its commit; None of one run."""
    if len(runs) < 2:
        return None
    settings = odd_settings(runs)
    shown = settings[:MOST]
    more = f"Other settings ({len(settings) - MOST} more differ)" if len(settings) > MOST else ""
    heads = ("Run", "Users", *shown, *([more] if more else []), "Seed", "Commit")
    rows = []
    for run in runs:
        flat, known = flattened(run.recipe), run.results.provenance
        users = ", ".join(
            f"{run.results.users[split]:,} {split}" for split in run.results.splits() if split in run.results.users
        )
        cells = [users or DASH, *(said(flat.get(name)) for name in shown), *([""] if more else [])]
        cells += [str(known.get("seed", DASH)), str(known.get("commit", DASH))]
        rows.append(GridRow(run.name, tuple(map(Cell, cells))))
    return Grid("The runs, and the settings that differ", heads, tuple(rows))


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


def said(value: Any) -> str:
    """A setting in few words."""
    text = DASH if value is None else ", ".join(map(name_of, value)) if isinstance(value, list) else str(value)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def name_of(value: Any) -> str:
    """An item of a list: a table by its name."""
    return str(value.get("name", "table")) if isinstance(value, dict) else str(value)
