"""Score against the number of clusters that training users are from: P2P figure 3, top row.

Source: P2P section 6 (10 to 50 clusters); data/splits_subsample.py (as many users for every number of clusters).
"""

from tailorlm.evaluation.figure import Figure, swept
from tailorlm.evaluation.plots import Lines
from tailorlm.evaluation.report_merge import Board
from tailorlm.evaluation.report_sweep import either, folder, setting, sweep

CLUSTERS = either(setting("data.*diversity", "data.*clusters"), folder("clusters"))


def plots(board: Board) -> list[Lines]:
    """A picture a kind of task and split."""
    return swept(sweep(board.runs, CLUSTERS), "clusters of training users")


FIGURE = Figure(
    title="Kinds of training users",
    source="P2P figure 3, diversity",
    about="The same number of training users, from more and more clusters.",
    wants="runs whose folders are named clusters_10, clusters_20 ..., each with the split.json of so many clusters "
    "(recipes/paper/prepare.py makes them; `tailor eval recipes/paper/p2p.toml --set show=figure_3 --out ...`)",
    plots=plots,
)
