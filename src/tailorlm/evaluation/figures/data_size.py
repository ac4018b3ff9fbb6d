"""Score against the number of the user's own items that are trained on: PRISP figure 6.

Source: PRISP section 4.4 (1, 5, 10, 30 and 50 newest items).
"""

import math
import re
from collections.abc import Sequence
from typing import Any

from tailorlm.evaluation.figure import Figure, number, swept
from tailorlm.evaluation.plots import Lines
from tailorlm.evaluation.report_merge import Board
from tailorlm.evaluation.report_run import Run
from tailorlm.evaluation.report_sweep import Flat, either, setting, sweep

ITEMS = ("source.settings.items.items", "source.settings.items")


def plots(board: Board) -> list[Lines]:
    """A picture a kind of task and split."""
    return swept(sweep(board.runs, either(of_file, setting(*ITEMS))), "items of the user", at=at)


def of_file(run: Run, flat: Flat) -> tuple[Any, Sequence[str]] | None:
    """The number in target_5.jsonl, the file of users with their five newest items; methods' own numbers go with it."""
    found = re.fullmatch(r"(?:.*/)?target_([0-9]+)\.jsonl", str(flat.get("data.dev", "")))
    return (int(found[1]), ("data.dev", *ITEMS)) if found else None


def at(items: Any) -> float | None:
    """A number of items; 0 is all."""
    return math.inf if items == 0 else number(items)


FIGURE = Figure(
    title="Few items of the user",
    source="PRISP figure 6",
    about="The newest items of each user, more and more of them.",
    wants="runs that differ in the users' items: `tailor eval recipes/paper/prisp.toml "
    "--set data.dev=target_5.jsonl --set methods.prisp.items.items=5`, and 1, 10, 30, 50",
    plots=plots,
)
