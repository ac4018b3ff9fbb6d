"""Quality against cost: PRISP figure 4.

Cost is the mean of the shares of the largest memory and of the largest time (cost.py), over tasks; quality is PRISP's
composite where all tasks have its metrics, else the mean score. Source: PRISP appendix B (details of figures).
"""

from collections.abc import Sequence
from dataclasses import replace
from statistics import fmean

from tailorlm.evaluation.figure import SCORE, Figure
from tailorlm.evaluation.figures.cost import Spent, by_tasks, costs, shared
from tailorlm.evaluation.names import method_kind, row_name, task_name
from tailorlm.evaluation.plots import Axis, Line, Point, Scatter, plainly
from tailorlm.evaluation.report_averages import composites, kinds
from tailorlm.evaluation.report_merge import Board
from tailorlm.metrics.averages import composite_cost

COST = Axis("composite cost, 0 to 1", lambda share: f"{share:.2f}", plainly)


def plots(board: Board) -> list[Scatter]:
    """A picture for each set of tasks that methods were asked."""
    spent = costs(board)
    parts = by_tasks(spent)
    drawn = [picture(board, spent, names, tasks) for tasks, names in parts.items()]
    titled = [
        replace(plot, title=f"{plot.title}: {', '.join(map(task_name, tasks))}") if len(parts) > 1 else plot
        for tasks, plot in zip(parts, drawn, strict=True) if plot is not None
    ]  # fmt: skip
    return titled


def picture(board: Board, spent: Spent, names: Sequence[str], tasks: Sequence[str]) -> Scatter | None:
    """The picture of rows that have the same tasks; None without two, or where nothing was measured on a task."""
    measured = all(any(spent[name][task][place] > 0 for name in names) for task in tasks for place in (0, 1))
    if len(names) < 2 or not measured:
        return None
    found = composite_cost([{name: spent[name][task] for name in names} for task in tasks])
    label, quality = qualities(board, board.results.splits()[0], tasks)
    lines = tuple(
        Line(row_name(name, board.results.few(name)), (Point(found[name], quality[name]),), method_kind(name))
        for name in names if name in quality
    )  # fmt: skip
    if len(lines) < 2:
        return None
    return Scatter("Cost and quality", COST, replace(SCORE, label=label), lines, shared(board, names))


def qualities(board: Board, split: str, tasks: Sequence[str]) -> tuple[str, dict[str, float]]:
    """What quality is, and its value (in points) by row: over these tasks."""
    of_kind = kinds(board.results, split)
    if all(task in of_kind for task in tasks):
        found = composites(board.results, split, {task: of_kind[task] for task in tasks}).values
        return "PRISP's composite, of 100", {name: 100 * value for name, value in found.items()}
    scores = {name: [board.results.score(name, split, task) for task in tasks] for name in board.results.methods}
    whole = {name: [one for one in known if one is not None] for name, known in scores.items()}
    return SCORE.label, {name: 100 * fmean(known) for name, known in whole.items() if len(known) == len(tasks)}


FIGURE = Figure(
    title="Cost and quality",
    source="PRISP figure 4",
    about="Composite cost: memory and time, each as a share of the largest on the task. Up and to the left is better.",
    wants="a run of `tailor eval` with its rows, and two methods that make adapters of users' own",
    plots=plots,
)
