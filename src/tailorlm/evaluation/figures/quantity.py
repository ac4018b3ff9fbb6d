"""Score against the share of training users: P2P figure 3, bottom row.

Source: P2P section 6 (20% to 100% of the users); data/splits_subsample.py.
"""

from typing import Any

from tailorlm.evaluation.figure import Figure, number, swept
from tailorlm.evaluation.plots import Lines
from tailorlm.evaluation.report_merge import Board
from tailorlm.evaluation.report_sweep import either, folder, setting, sweep

SHARE = either(setting("data.*quantity"), folder("users"))


def plots(board: Board) -> list[Lines]:
    """A picture a kind of task and split."""
    return swept(sweep(board.runs, SHARE), "share of the training users", lambda share: f"{share:g}%", percent)


def percent(share: Any) -> float | None:
    """A share in percent: folders are named by percent, settings are shares of 1."""
    found = number(share)
    return found if found is None or found > 1 else 100 * found


FIGURE = Figure(
    title="Number of training users",
    source="P2P figure 3, quantity",
    about="A part of the training users, drawn by lot; fewer are among more.",
    wants="runs whose folders are named users_20, users_40 ..., each with the split.json of so many percent of the "
    "users (recipes/paper/prepare.py makes them; `tailor eval recipes/paper/p2p.toml --set show=figure_3 --out ...`)",
    plots=plots,
)
