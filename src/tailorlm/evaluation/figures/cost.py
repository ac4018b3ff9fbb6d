"""Peak memory and time to personalise, the mean over tasks: PRISP figure 3.

Memory is the GPU's where there is one, else the process's (the model is in it). Source: PRISP section 4.2.
"""

from collections.abc import Mapping
from statistics import fmean

from tailorlm.evaluation.figure import Figure
from tailorlm.evaluation.names import in_order, method_kind, method_name
from tailorlm.evaluation.plots import Axis, Bars, Named
from tailorlm.evaluation.quantities import MOMENTS, duration, size
from tailorlm.evaluation.report_merge import Board


def plots(board: Board) -> list[Bars]:
    """A picture of seconds and one of bytes."""
    spent = costs(board)
    names = [name for name in in_order(spent) if spent[name]]
    seconds = {name: fmean(took for _, took in spent[name].values()) for name in names}
    peaks = {name: fmean(peak for peak, _ in spent[name].values()) for name in names}
    made = [
        bars(
            "Time to personalise one user", Axis("time a user, logarithmic", duration, "log", rounds=MOMENTS), seconds
        ),
        bars("Peak memory while personalising and answering", Axis("memory", size), peaks),
    ]
    return [one for one in made if len(one.groups[0][1]) > 1]


def bars(title: str, axis: Axis, values: Mapping[str, float]) -> Bars:
    """A bar a method that took anything."""
    found = [Named(method_name(name), value, method_kind(name)) for name, value in values.items() if value > 0]
    return Bars(title, axis, (("", tuple(found)),))


def costs(board: Board) -> dict[str, dict[str, tuple[float, float]]]:
    """By row and task (bytes at most, seconds a user) of methods with an adapter, on the first split of their run."""
    found: dict[str, dict[str, tuple[float, float]]] = {}
    for run in board.runs:
        first = run.results.splits()[0]
        for (method, split, task), spent in run.marks.spent.items():
            made = run.marks.made[method]
            if split == first and made.adapter not in ("", "none") and spent.mean is not None:
                found.setdefault(board.named[run.name, method], {})[task] = (float(spent.peak), spent.mean)
    return found


FIGURE = Figure(
    title="What personalising costs",
    source="PRISP figure 3",
    about="Making or training the adapter of a user, and the memory that it takes; the mean over tasks.",
    wants="a run of `tailor eval` with its rows, and two methods that have an adapter",
    plots=plots,
)
