"""Cumulative time over users, with the number of users from which on a method has taken no longer: P2P figure 4.

The paper counts what makes the adapters; here answering counts too, and what was done once is where a line begins.
Source: P2P section 6 (deployment efficiency); evaluation/runner_costs.py.
"""

from collections.abc import Mapping, Sequence
from itertools import groupby
from operator import itemgetter

from tailorlm.evaluation.figure import Figure
from tailorlm.evaluation.names import in_order, method_kind, method_name
from tailorlm.evaluation.plots import Axis, Line, Lines, Point
from tailorlm.evaluation.quantities import MOMENTS, duration
from tailorlm.evaluation.report_merge import NEXT_TO, Board

USERS = Axis("users", lambda count: f"{count:,.0f}", "log")
SECONDS = Axis("time in all", duration, "log", rounds=MOMENTS)
Curves = Mapping[str, Sequence[Sequence[float]]]
"""[number of users, seconds] by method."""


def plots(board: Board) -> list[Lines]:
    """One picture of all methods whose time was measured."""
    found: Curves = board.results.timing.get("cumulative") or {}
    lines = tuple(line(name, found[name]) for name in in_order(found) if sum(y > 0 for _, y in found[name]) > 1)
    if len(lines) < 2:
        return []
    even = crossings(board)
    first = next((mark(found, *one) for one in even if one[0] in found), None)
    return [Lines("Time over users", USERS, SECONDS, lines, note(even), first)]


def line(name: str, found: Sequence[Sequence[float]]) -> Line:
    """A method's seconds by number of users."""
    return Line(method_name(name), tuple(Point(x, y) for x, y in found if x > 0 and y > 0), method_kind(name))


def crossings(board: Board) -> list[tuple[str, str, int]]:
    """(a, b, users): where the lines cross; those of P2P and OPPU first, then the others."""
    found: Mapping[str, int | None] = board.results.timing.get("break_even") or {}
    pairs = [(pair.partition(NEXT_TO)[0], pair.partition(NEXT_TO)[2], count) for pair, count in found.items() if count]
    rank = {"ours": 0, "tuned": 1, "plain": 2}
    return sorted(
        pairs,
        key=lambda pair: (rank[method_kind(pair[0])], pair[0], rank[method_kind(pair[1])], pair[2]),
    )


def note(even: Sequence[tuple[str, str, int]]) -> str:
    """The crossings in words: from how many users on a method takes no longer than others."""
    told = [
        f"{method_name(a)} takes no longer than "
        + ", ".join(f"{method_name(b)} from {USERS.told(count)} users on" for _, b, count in group)
        for a, group in groupby(even, key=itemgetter(0))
    ]
    said = "; ".join(told) or "No method that takes longer at the start overtakes another one"
    return f"{said}. Both scales are logarithmic."


def mark(found: Curves, a: str, b: str, users: int) -> tuple[float, float, str]:
    """Where a's line meets b's: its place, and the number of users."""
    (x, y), (last, top) = found[a][0], found[a][-1]
    slope = (top - y) / (last - x) if last > x else 0.0
    return float(users), y + slope * (users - x), f"{USERS.told(users)} users"


FIGURE = Figure(
    title="Cumulative time over users",
    source="P2P figure 4",
    about="What was trained once, then enrolling more and more users and answering all that they ask.",
    wants="a run of `tailor eval` that trains its methods itself and whose rows were timed",
    plots=plots,
)
