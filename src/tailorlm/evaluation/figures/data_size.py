"""Score against the number of the user's own items that are trained on: PRISP figure 6.

Source: PRISP section 4.4 (1, 5, 10, 30 and 50 newest items).
"""

import math
from typing import Any

from tailorlm.evaluation.figure import Figure, number, swept
from tailorlm.evaluation.plots import Lines
from tailorlm.evaluation.report_merge import Board
from tailorlm.evaluation.report_sweep import sweep

SETTING = ("data.*shots", "data.*newest", "source.settings.items.items", "source.settings.items")


def plots(board: Board) -> list[Lines]:
    """A picture a kind of task and split."""
    return swept(sweep(board.runs, SETTING), "items of the user", at=at)


def at(items: Any) -> float | None:
    """A number of items; 0 is all."""
    return math.inf if items == 0 else number(items)


FIGURE = Figure(
    title="Few items of the user",
    source="PRISP figure 6",
    about="The newest items of each user, more and more of them.",
    wants="rows or runs that differ in the user's items: `--set methods.prisp.items.items=5`, and so on",
    plots=plots,
)
