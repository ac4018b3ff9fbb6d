"""Score against the task data that methods may see: PRISP figure 1.

Source: PRISP figure 1 and section 4.1 (50 rows of task data, or all).
"""

from tailorlm.evaluation.figure import Figure, swept
from tailorlm.evaluation.plots import Lines
from tailorlm.evaluation.report_merge import Board
from tailorlm.evaluation.report_sweep import sweep

SETTING = ("data.*task_data", "source.settings.task.data")


def plots(board: Board) -> list[Lines]:
    """A picture a kind of task and split."""
    return swept(sweep(board.runs, SETTING), "rows of task data")


FIGURE = Figure(
    title="Task data",
    source="PRISP figure 1",
    about="What is lost without other users' data of the task: none, 50 rows, or all.",
    wants="rows or runs that differ in task data: `--set methods.oppu.task.data=50`, and `all`",
    plots=plots,
)
