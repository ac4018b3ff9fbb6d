"""Score against k, the number of retrieved items: P2P figure 6.

Of contexts that show items, and of P2P whose network reads them. Source: P2P appendix, figure 6 (k from 0 to 32).
"""

from tailorlm.evaluation.figure import Figure, swept
from tailorlm.evaluation.plots import Lines
from tailorlm.evaluation.report_merge import Board
from tailorlm.evaluation.report_sweep import setting, sweep

K = setting("contexts.k", "source.settings.k")


def plots(board: Board) -> list[Lines]:
    """A picture a kind of task and split."""
    return swept(sweep(board.runs, K), "k, retrieved items")


FIGURE = Figure(
    title="Retrieved items",
    source="P2P figure 6",
    about="More and more of the user's nearest items, in the prompt or as what the network reads.",
    wants="rows or runs that differ in k: `tailor eval recipes/paper/p2p.toml --set show=figure_6`, or runs of any "
    "recipe with `--set contexts.rag.k=1`, 4, 16",
    plots=plots,
)
