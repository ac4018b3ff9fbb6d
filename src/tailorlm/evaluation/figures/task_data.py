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
    found = sweep(board.runs, setting("source.settings.task.data"))
    return swept(found or sweep(board.runs, of_file, same=namesake), "rows of task data")


def of_file(run: Run, flat: Flat) -> tuple[Any, Sequence[str]] | None:
    """The number in task_50.jsonl; all_rows.jsonl and task_all.jsonl are all. More data may come with more steps: names
    tell methods. Of a source with training users of its own: what it begins at, if anything; of PRISP without task
    data, none.
    """
    if flat.get("source.settings.task.data") == 0:
        return 0, ()
    if flat.get("source.train") and "source.start.adapter" not in flat:
        return None
    name = str((flat.get("source.train") and flat.get("source.start.train")) or flat.get("data.train", ""))
    found = re.fullmatch(r"(?:.*/)?(?:task_([0-9]+|all)|(all)_rows)\.jsonl", name)
    rows = found and (found[1] or found[2])
    return ("all" if rows == "all" else int(rows), ()) if rows else None


FIGURE = Figure(
    title="Task data",
    source="PRISP figure 1",
    about="What is lost without other users' data of the task: none, 50 rows, or all.",
    wants="a run of `tailor eval recipes/paper/prisp.toml` and one with `--set amount=full`, or rows that "
    "differ in `task.data`",
    plots=plots,
)
