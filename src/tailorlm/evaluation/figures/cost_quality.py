"""Quality against cost: PRISP figure 4.

Cost is the mean of the shares of the largest memory and of the largest time, over tasks; quality is PRISP's composite
where all tasks have its metrics, else the mean score. Source: PRISP appendix B (details of figures).
"""

from tailorlm.evaluation.figure import SCORE, Figure
from tailorlm.evaluation.figures.cost import costs
from tailorlm.evaluation.names import in_order, method_kind, row_name
from tailorlm.evaluation.plots import Axis, Line, Point, Scatter
from tailorlm.evaluation.report_averages import composites, kinds
from tailorlm.evaluation.report_merge import Board
from tailorlm.evaluation.table import AVERAGE
from tailorlm.metrics.averages import composite_cost

COST = Axis("composite cost", lambda share: f"{share:.2g}")


def plots(board: Board) -> list[Scatter]:
    """One picture of the methods that have a cost on every task."""
    spent, split = costs(board), board.results.splits()[0]
    tasks = sorted({task for found in spent.values() for task in found})
    whole = [name for name in in_order(spent) if spent[name].keys() == set(tasks)]
    if len(whole) < 2 or not all(
        any(spent[name][task][place] > 0 for name in whole) for task in tasks for place in (0, 1)
    ):
        return []
    found = composite_cost([{name: spent[name][task] for name in whole} for task in tasks])
    label, quality = qualities(board, split, tasks)
    lines = [
        Line(row_name(name, board.results.few(name)), (Point(found[name], quality[name]),), method_kind(name))
        for name in whole
        if name in quality
    ]
    return [Scatter("Cost and quality", COST, Axis(label, SCORE.told), tuple(lines))] if len(lines) > 1 else []


def qualities(board: Board, split: str, tasks: list[str]) -> tuple[str, dict[str, float]]:
    """What quality is, and its value (in points) by row."""
    of_kind = kinds(board.results, split)
    if sorted(of_kind) == tasks:
        return "PRISP's composite, of 100", {
            name: 100 * value for name, value in composites(board.results, split, of_kind).values.items()
        }
    column = AVERAGE if len(tasks) > 1 else tasks[0]
    found = {name: board.results.score(name, split, column) for name in board.results.methods}
    return SCORE.label, {name: 100 * score for name, score in found.items() if score is not None}


FIGURE = Figure(
    title="Cost and quality",
    source="PRISP figure 4",
    about="Composite cost: memory and time, each as a share of the largest on the task. Up and to the left is better.",
    wants="a run of `tailor eval` with its rows, and two methods that have an adapter",
    plots=plots,
)
