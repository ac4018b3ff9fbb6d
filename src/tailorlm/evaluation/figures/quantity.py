"""Score against the share of training users: P2P figure 3, bottom row.

Source: P2P section 6 (20% to 100% of the users); data/splits_subsample.py.
"""

from tailorlm.evaluation.figure import Figure, swept
from tailorlm.evaluation.plots import Lines
from tailorlm.evaluation.report_merge import Board
from tailorlm.evaluation.report_sweep import of_split, sweep


def plots(board: Board) -> list[Lines]:
    """A picture a kind of task and split."""
    return swept(sweep(board.runs, of_split("users")), "share of the training users", lambda share: f"{share}%")


FIGURE = Figure(
    title="Number of training users",
    source="P2P figure 3, quantity",
    about="A part of the training users, drawn by lot; fewer are among more.",
    wants="runs whose data.split.file is users_20/split.json, users_40/split.json ... (recipes/paper/prepare.py makes "
    "them): `tailor eval recipes/paper/p2p.toml --set show=figure_3 --set data.split.file=... --out ...`",
    plots=plots,
)
