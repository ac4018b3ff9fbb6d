"""Score against the share of training users: P2P figure 3, bottom row.

Source: P2P section 6 (20% to 100% of the users); data/splits_subsample.py.
"""

from tailorlm.evaluation.figure import Figure, swept
from tailorlm.evaluation.plots import Lines
from tailorlm.evaluation.report_merge import Board
from tailorlm.evaluation.report_sweep import sweep

SETTING = ("data.*quantity", "data.*quantity.share")


def plots(board: Board) -> list[Lines]:
    """A picture a kind of task and split."""
    return swept(sweep(board.runs, SETTING), "share of the training users", lambda share: f"{100 * share:g}%")


FIGURE = Figure(
    title="Number of training users",
    source="P2P figure 3, quantity",
    about="A part of the training users, drawn by lot; fewer are among more.",
    wants="runs of one recipe with different shares in the data's quantity setting",
    plots=plots,
)
