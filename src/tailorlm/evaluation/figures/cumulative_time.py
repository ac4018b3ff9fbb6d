"""Cumulative time over users, with the number of users from which on a method has taken no longer: P2P figure 4.

The paper counts what makes the adapters; here answering counts too, and what was done once is where a line begins.
Source: P2P section 6 (deployment efficiency); evaluation/runner_costs.py.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from operator import itemgetter

from tailorlm.evaluation.figure import LINES, Figure, faded
from tailorlm.evaluation.names import in_order, method_kind, method_name, task_name
from tailorlm.evaluation.plots import Axis, Line, Lines, Point
from tailorlm.evaluation.quantities import MOMENTS, duration
from tailorlm.evaluation.report_apart import places
from tailorlm.evaluation.report_merge import NEXT_TO, Board, by_run, of_run
from tailorlm.evaluation.report_run import Run

USERS = Axis("users", lambda count: f"{count:,.0f}", scale="log")
SECONDS = Axis("time in all", duration, scale="log", rounds=MOMENTS)
MOST = 6
"""Crossings that are told below the picture at most."""
Curves = Mapping[str, Sequence[Sequence[float]]]
"""[number of users, seconds] by method."""
Crossing = tuple[str, str, int]
"""(a, b, users): from so many users on a takes no longer than b."""


def plots(board: Board) -> list[Lines]:
    """A picture for runs that asked the same tasks: what a user asks decides what a user takes."""
    parts = alike(board.runs)
    drawn = [(tasks, plot) for tasks, runs in parts.items() if (plot := picture(board, runs)) is not None]
    names = {tasks: ", ".join(task_name(task) for _, task in tasks) for tasks in parts}
    return [replace(one, title=f"{one.title}: {names[tasks]}") if len(parts) > 1 else one for tasks, one in drawn]


def alike(runs: Sequence[Run]) -> dict[tuple[tuple[str, str], ...], list[Run]]:
    """The runs by what their first split was asked."""
    found: dict[tuple[tuple[str, str], ...], list[Run]] = {}
    for run in runs:
        first = run.results.splits()[0]
        found.setdefault(tuple(sorted(place for place in places(run) if place[0] == first)), []).append(run)
    return found


def picture(board: Board, runs: Sequence[Run]) -> Lines | None:
    """The picture of some runs; None without two methods whose time is known."""
    found: Curves = by_run(runs, board.named, lambda results: results.timing.get("cumulative") or {})
    rows = [name for name in in_order(found) if sum(y > 0 for _, y in found[name]) > 1]
    if len(rows) < 2:
        return None
    lines = faded({name: line(name, found[name]) for name in rows})
    even = [one for one in crossings(board, runs, found) if {one[0], one[1]} <= {*rows}]
    shown = even[:MOST] if len(rows) > LINES else even
    return Lines("Time over users", USERS, SECONDS, lines, note(shown, len(even)), marked(found, even))


def line(name: str, found: Sequence[Sequence[float]]) -> Line:
    """A method's seconds by number of users."""
    return Line(method_name(name), tuple(Point(x, y) for x, y in found if x > 0 and y > 0), method_kind(name))


def crossings(board: Board, runs: Sequence[Run], found: Curves) -> list[Crossing]:
    """Where the lines that are `found` cross: those of P2P and OPPU first, then the others."""

    def row(run: Run, name: str) -> str:
        own = board.named.get((run.name, name), name)
        return own if own in found else of_run(own, run.name)

    pairs = [
        (row(run, a), row(run, b), count)
        for run in runs
        for pair, count in (run.results.timing.get("break_even") or {}).items() if count
        for a, _, b in (pair.partition(NEXT_TO),)
    ]  # fmt: skip
    rank = {"ours": 0, "tuned": 1, "plain": 2}
    return sorted(
        dict.fromkeys(pairs),
        key=lambda pair: (rank[method_kind(pair[0])], pair[0], rank[method_kind(pair[1])], pair[2]),
    )


def note(even: Sequence[Crossing], all_of_them: int) -> str:
    """The crossings in words: from how many users on a method takes no longer than others."""
    told = [
        f"{method_name(a)} takes no longer than "
        + ", ".join(f"{method_name(b)} from {users(count)} on" for _, b, count in group)
        for a, group in groupby(even, key=itemgetter(0))
    ]
    rest = all_of_them - len(even)
    more = f" {rest} more pairs are under timing.break_even in results.json." if rest else ""
    return f"{'; '.join(told) or 'No method that takes longer at the start overtakes another one'}.{more}"


def users(count: int) -> str:
    """A number of users in words."""
    return f"{USERS.told(count)} user{'' if count == 1 else 's'}"


def marked(found: Curves, even: Sequence[Crossing]) -> tuple[float, float, str] | None:
    """The first crossing beyond the first user: its place on a's line, and the number of users."""
    seen = [one for one in even if one[2] > 1]
    if not seen:
        return None
    a, _, count = seen[0]
    (x, y), (last, top) = found[a][0], found[a][-1]
    slope = (top - y) / (last - x) if last > x else 0.0
    return float(count), y + slope * (count - x), users(count)


FIGURE = Figure(
    title="Cumulative time over users",
    source="P2P figure 4",
    about="What was trained once, then enrolling more and more users and answering all that they ask.",
    wants="a run of `tailor eval` that trains its methods itself and whose rows were timed",
    plots=plots,
)
