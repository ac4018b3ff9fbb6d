"""Peak memory and time to personalise, the mean over tasks: PRISP figure 3.

Memory is the GPU's where there is one, else the process's (the model is in it). Source: PRISP section 4.2.
"""

from collections.abc import Mapping, Sequence
from statistics import fmean

from tailorlm.evaluation.figure import Figure
from tailorlm.evaluation.names import in_order, method_kind, method_name, task_name
from tailorlm.evaluation.plots import Axis, Bars, Named
from tailorlm.evaluation.quantities import MOMENTS, duration, size
from tailorlm.evaluation.report_merge import Board

SECONDS = Axis("time a user", duration, scale="log", rounds=MOMENTS)
Spent = Mapping[str, Mapping[str, tuple[float, float]]]
"""(bytes at most, seconds a user) by row and task."""


def plots(board: Board) -> list[Bars]:
    """A picture of seconds and one of bytes, for each set of tasks that methods were asked."""
    spent = costs(board)
    parts = by_tasks(spent)
    made = [plot for tasks, names in parts.items() for plot in pictures(spent, names, tasks if len(parts) > 1 else ())]
    return [one for one in made if len(one.groups[0][1]) > 1]


def by_tasks(spent: Spent) -> dict[tuple[str, ...], list[str]]:
    """The rows that have the same tasks: means over others do not compare."""
    found: dict[tuple[str, ...], list[str]] = {}
    for name in in_order(spent):
        found.setdefault(tuple(sorted(spent[name])), []).append(name)
    return found


def pictures(spent: Spent, names: Sequence[str], tasks: Sequence[str]) -> list[Bars]:
    """Seconds and bytes of some rows; `tasks` stand in the titles."""
    of = f": {', '.join(map(task_name, tasks))}" if tasks else ""
    seconds = {name: fmean(took for _, took in spent[name].values()) for name in names}
    peaks = {name: fmean(peak for peak, _ in spent[name].values()) for name in names}
    return [
        bars(f"Time to personalise one user{of}", SECONDS, seconds),
        bars(f"Peak memory while personalising and answering{of}", Axis("memory", size), peaks),
    ]


def bars(title: str, axis: Axis, values: Mapping[str, float]) -> Bars:
    """A bar a method that took anything."""
    found = [Named(method_name(name), value, method_kind(name)) for name, value in values.items() if value > 0]
    return Bars(title, axis, (("", tuple(found)),))


def costs(board: Board) -> dict[str, dict[str, tuple[float, float]]]:
    """What rows with an adapter took, on the first split."""
    found: dict[str, dict[str, tuple[float, float]]] = {}
    first = board.results.splits()[0]
    for run in board.runs:
        for (method, split, task), spent in run.marks.spent.items():
            made = run.marks.made[method]
            if split == first and made.adapter not in ("", "none") and spent.mean is not None:
                found.setdefault(board.named[run.name, method], {})[task] = (float(spent.peak), spent.mean)
    return found


FIGURE = Figure(
    title="What personalising costs",
    source="PRISP figure 3",
    about="Time to make or train one user's adapter, and the most memory in use meanwhile (of the GPU where there is "
    "one, else of the whole process, the model included); the mean over tasks.",
    wants="a run of `tailor eval` with its rows, and two methods that have an adapter",
    plots=plots,
)
