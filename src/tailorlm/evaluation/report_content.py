"""What a report says, worked out once for its page and its Markdown.

Knows nothing of how either looks.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from tailorlm.evaluation import tables, tables_costs, tables_judge
from tailorlm.evaluation.grids import Grid
from tailorlm.evaluation.report_averages import COMPOSITE
from tailorlm.evaluation.report_figures import Shown, shown
from tailorlm.evaluation.report_merge import Board, board
from tailorlm.evaluation.report_run import Run
from tailorlm.evaluation.report_significance import against, reference
from tailorlm.evaluation.results import Results


@dataclass(frozen=True)
class Content:
    """`against` is the method that the others are tested against; None where no example has a score."""

    board: Board
    against: str | None
    scores: tuple[Grid, ...]
    averages: tuple[Grid, ...]
    significance: tuple[Grid, ...]
    differences: tuple[Grid, ...]
    needs: Grid | None
    harm: Grid | None
    judged: tuple[Grid, ...]
    figures: tuple[Shown, ...]

    @property
    def results(self) -> Results:
        """All runs' results together."""
        return self.board.results

    @property
    def composite(self) -> bool:
        """Whether a table has PRISP's composite."""
        return any(COMPOSITE in grid.heads for grid in self.averages)


def content(runs: Sequence[Run], wanted: str | None = None) -> Content:
    """What there is to say of the runs; `wanted`: the reference. ValueError for a reference that is not there."""
    whole = board(runs)
    results, base = whole.results, reference(whole, wanted)
    tests = [tested(whole, base, split) for split in results.splits()] if base is not None else []
    significance = tuple(one for one in tests if one is not None)
    return Content(
        board=whole, against=base if significance else None,
        scores=tuple(tables.score_table(results, split) for split in results.splits()),
        averages=tuple(one for split in results.splits() if (one := tables.average_table(results, split)) is not None),
        significance=significance,
        differences=tuple(tables.difference_tables(results, base if significance else None)),
        needs=tables_costs.needs_table(results), harm=tables_costs.harm_table(whole),
        judged=tuple(tables_judge.judge_tables(results)), figures=tuple(shown(whole)),
    )  # fmt: skip


def tested(whole: Board, base: str, split: str) -> Grid | None:
    """The table of a split against the reference."""
    return tables.significance_table(whole.results, base, split, against(whole, base, split))
