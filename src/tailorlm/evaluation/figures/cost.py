"""Peak memory and time to personalise, the mean over tasks: PRISP figure 3.

A user's time is enrolling, the adapters that are made while the user's queries are answered, and a share of training
sharers, whom the paper counts; other training done once (networks, task LoRAs) is in the table of costs. Memory is the
GPU's where there is one, else the process's (the model is in it). Source: PRISP section 4.2.
"""

from collections.abc import Mapping, Sequence
from statistics import fmean

from tailorlm.evaluation.figure import Figure
from tailorlm.evaluation.names import in_order, method_kind, method_name, task_name
from tailorlm.evaluation.plots import Axis, Bars, Named
from tailorlm.evaluation.quantities import MOMENTS, duration, size
from tailorlm.evaluation.report_merge import Board
from tailorlm.evaluation.report_run import Run

SECONDS = Axis("time a user", duration, scale="log", rounds=MOMENTS)
Spent = Mapping[str, Mapping[str, tuple[float, float]]]
"""(bytes at most, seconds a user) by row and task."""


def plots(board: Board) -> list[Bars]:
    """A picture of seconds and one of bytes, for each set of tasks that methods were asked."""
    spent = costs(board)
    parts = by_tasks(spent)
    made = [
        plot
        for tasks, names in parts.items()
        for plot in pictures(spent, names, tasks if len(parts) > 1 else (), shared(board, names))
    ]
    return [one for one in made if len(one.groups[0][1]) > 1]


def by_tasks(spent: Spent) -> dict[tuple[str, ...], list[str]]:
    """The rows that have the same tasks: means over others do not compare."""
    found: dict[tuple[str, ...], list[str]] = {}
    for name in in_order(spent):
        found.setdefault(tuple(sorted(spent[name])), []).append(name)
    return found


def pictures(spent: Spent, names: Sequence[str], tasks: Sequence[str], note: str) -> list[Bars]:
    """Seconds, with a `note`, and bytes of some rows; `tasks` stand in the titles."""
    of = f": {', '.join(map(task_name, tasks))}" if tasks else ""
    seconds = {name: fmean(took for _, took in spent[name].values()) for name in names}
    peaks = {name: fmean(peak for peak, _ in spent[name].values()) for name in names}
    return [
        bars(f"Time to personalise one user{of}", SECONDS, seconds, note),
        bars(f"Peak memory while personalising and answering{of}", Axis("memory", size), peaks),
    ]


def bars(title: str, axis: Axis, values: Mapping[str, float], note: str = "") -> Bars:
    """A bar a method that took anything."""
    found = [Named(method_name(name), value, method_kind(name)) for name, value in values.items() if value > 0]
    return Bars(title, axis, (("", tuple(found)),), note)


def costs(board: Board) -> dict[str, dict[str, tuple[float, float]]]:
    """What rows that make adapters of users' own took, on the first split."""
    found: dict[str, dict[str, tuple[float, float]]] = {}
    first = board.results.splits()[0]
    for run in board.runs:
        for (method, split, task), spent in run.marks.spent.items():
            if split == first and spent.own and spent.mean is not None:
                seconds, users = sharers(run, method)
                took = spent.mean + (seconds / users if users else 0.0)
                found.setdefault(board.named[run.name, method], {})[task] = (float(spent.peak), took)
    return found


def sharers(run: Run, method: str) -> tuple[float, int]:
    """Seconds in which a method's sharers were trained (0.0: it has none), and how many users it served with them.

    Runs that do not say it have all that was prepared once, for methods with settings of sharers.
    """
    timing = run.results.timing
    if "sharers" in timing:
        seconds = timing["sharers"].get(method)
    else:
        source = run.marks.made[method].about.get("source")
        settings = source.get("settings") if isinstance(source, Mapping) else None
        measured = (timing.get("methods") or {}).get(method) or {}
        known = [one.get("prepare_seconds") for one in measured.values()]
        seconds = known[0] if known and isinstance(settings, Mapping) and "sharers" in settings else None
    users = {user for (name, _, _), spent in run.marks.spent.items() if name == method for user, _ in spent.seconds}
    return float(seconds or 0.0), len(users)


def shared(board: Board, names: Sequence[str]) -> str:
    """Which rows bear a share of training sharers, and of how many users' share it is, in a sentence."""
    found = {board.named[run.name, name]: sharers(run, name) for run in board.runs for name in run.marks.made}
    bearing: dict[tuple[float, int], list[str]] = {}
    for name in names:
        if found[name][0]:
            bearing.setdefault(found[name], []).append(method_name(name))
    said = [
        f"{listed(rows)} ({duration(seconds)} over {users} users)" for (seconds, users), rows in bearing.items()
    ]  # fmt: skip
    return f"With a user's share of training sharers once: {'; '.join(said)}." if said else ""


def listed(rows: Sequence[str]) -> str:
    """Rows by name; of several that have the same sharers the first."""
    return rows[0] if len(rows) == 1 else f"{rows[0]} and {len(rows) - 1} more that share its sharers"


FIGURE = Figure(
    title="What personalising costs",
    source="PRISP figure 3",
    about="Time to make or train one user's adapter (where one is made a query: those of all that the user asks) with "
    "the profile it is made from, and the most memory in use meanwhile (of the GPU where there is one, else of the "
    "whole process, the model included); the mean over tasks. Of what is trained once, a share of the sharers counts, "
    "as in the paper; the rest is under What one user costs. Adapters that all share have no bar.",
    wants="a run of `tailor eval` with its rows, and two methods that make adapters of users' own",
    plots=plots,
)
