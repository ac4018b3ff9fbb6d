"""Score against the task data that methods may see: PRISP figure 1.

Source: PRISP figure 1 and section 4.1 (50 rows of task data, or all).
"""

import re
from collections.abc import Sequence
from typing import Any

from tailorlm.evaluation.figure import Figure, swept
from tailorlm.evaluation.plots import Lines
from tailorlm.evaluation.report_merge import Board
from tailorlm.evaluation.report_run import Run
from tailorlm.evaluation.report_sweep import Flat, namesake, setting, sweep


def plots(board: Board) -> list[Lines]:
    """A picture a kind of task and split."""
    found = sweep(board.runs, of_setting)
    return swept(found or sweep(board.runs, of_file, same=namesake), "rows of task data")


def of_setting(run: Run, flat: Flat) -> tuple[Any, Sequence[str]] | None:
    """What `task.data` says, no more than the file has: all rows of task_50.jsonl are 50."""
    found = setting("source.settings.task.data")(run, flat)
    there = None if found is None else rows_of(file_of(flat))
    if found is None or there in (None, "all"):
        return found
    more = found[0] == "all" or (isinstance(found[0], int) and found[0] > there)
    return (there if more else found[0]), found[1]


def of_file(run: Run, flat: Flat) -> tuple[Any, Sequence[str]] | None:
    """The rows of the file. More data may come with more steps: names tell methods. Of a source with training users of
    its own: what it begins at, if anything; of PRISP without task data, none.
    """
    if flat.get("source.settings.task.data") == 0:
        return 0, ()
    if flat.get("source.train") and "source.start.adapter" not in flat:
        return None
    rows = rows_of(file_of(flat))
    return None if rows is None else (rows, ())


def file_of(flat: Flat) -> str:
    """The file with a source's task data."""
    return str((flat.get("source.train") and flat.get("source.start.train")) or flat.get("data.train", ""))


def rows_of(file: str) -> Any:
    """The number in task_50.jsonl; all_rows.jsonl and task_all.jsonl are "all"; of other files None."""
    found = re.fullmatch(r"(?:.*/)?(?:task_([0-9]+|all)|(all)_rows)\.jsonl", file)
    rows = found and (found[1] or found[2])
    return int(rows) if rows and rows != "all" else rows


FIGURE = Figure(
    title="Task data",
    source="PRISP figure 1",
    about="What is lost without other users' data of the task: none, 50 rows, or all.",
    wants="a run of `tailor eval recipes/paper/prisp.toml` and one with `--set amount=full`, or rows that "
    "differ in `task.data`",
    plots=plots,
)
