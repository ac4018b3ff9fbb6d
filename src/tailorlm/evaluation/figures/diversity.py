"""Score against the number of clusters that training users are from: P2P figure 3, top row.

Source: P2P section 6 (10 to 50 clusters); data/splits_subsample.py (as many users for every number of clusters).
"""

from tailorlm.evaluation.figure import Figure, swept
from tailorlm.evaluation.plots import Lines
from tailorlm.evaluation.report_merge import Board
from tailorlm.evaluation.report_sweep import of_split, sweep


def plots(board: Board) -> list[Lines]:
    """A picture a kind of task and split."""
    return swept(sweep(board.runs, of_split("clusters")), "clusters of training users")


FIGURE = Figure(
    title="Kinds of training users",
    source="P2P figure 3, diversity",
    about="The same number of training users, from more and more clusters.",
    wants="runs whose data.split.file is clusters_10/split.json, clusters_20/split.json ... (recipes/paper/prepare.py "
    "makes them): `tailor eval recipes/paper/p2p.toml --set show=figure_3 --set data.split.file=... --out ...`",
    plots=plots,
)
