"""Score against the length of users' histories: P2P figure 5.

Users in as many groups of like size as their histories' lengths give. Source: P2P section 6 (user active levels).
"""

from collections.abc import Mapping, Sequence
from statistics import fmean

from tailorlm.evaluation.figure import SCORE, Figure, faded, panel_title, panels
from tailorlm.evaluation.names import in_order, method_kind, row_name, split_name
from tailorlm.evaluation.plots import Axis, Line, Lines, Point
from tailorlm.evaluation.report_marks import Key
from tailorlm.evaluation.report_merge import Board
from tailorlm.evaluation.report_significance import drawn_ends

GROUPS, FEWEST = 5, 4
"""Groups at most, and users of a group at least."""
Groups = Sequence[tuple[int, int]]
"""(shortest, longest) of each group."""
Lengths = Mapping[tuple[str, str], int]
"""Items by (user, task)."""


def plots(board: Board) -> list[Lines]:
    """A picture a kind of task and split."""
    history = lengths(board)
    return [
        plot
        for split in board.results.splits()
        for kind, tasks in panels(board.results, split).items()
        for plot in panel(board, history, split, tasks, f"{panel_title(kind, tasks)}: {split_name(split).lower()}")
    ]


def lengths(board: Board) -> Lengths:
    """How many items each user has: the most that any run says. Ids of another task may be other people's."""
    found: dict[tuple[str, str], int] = {}
    for run in board.runs:
        for asked, items in run.marks.history.items():
            found[asked] = max(items, found.get(asked, 0))
    return found


def panel(board: Board, history: Lengths, split: str, tasks: Sequence[str], title: str) -> list[Lines]:
    """The picture of the tasks of one kind; none where all histories are of a length, or few users are there."""
    scores = {
        name: {key: score for key, score in found.items() if key[2] in tasks and key[1:] in history}
        for (name, of), found in board.scores.items()
        if of == split and not name.startswith("floor_")
    }
    users = {(key[1], history[key[1:]]) for found in scores.values() for key in found}
    parts = groups([items for _, items in users])
    if len(parts) < 2:
        return []
    axis = Axis("items in the history", scale="steps", texts={float(n): said(part) for n, part in enumerate(parts)})
    lines = {name: line(board, name, scores[name], history, parts, tasks) for name in in_order(scores)}
    shown = {name: one for name, one in lines.items() if len(one.points) > 1}
    return [Lines(title, axis, SCORE, faded(shown))] if shown else []


def groups(lengths: Sequence[int]) -> Groups:
    """Up to GROUPS of like size; equal lengths stay together."""
    ordered = sorted(lengths)
    count = min(GROUPS, len(ordered) // FEWEST)
    ends = sorted({ordered[len(ordered) * (part + 1) // count - 1] for part in range(count)}) if count else []
    starts = [ordered[0], *(next(length for length in ordered if length > end) for end in ends[:-1])] if ends else []
    return list(zip(starts, ends, strict=True))


def said(part: tuple[int, int]) -> str:
    """A group's lengths in words."""
    return f"{part[0]}" if part[0] == part[1] else f"{part[0]}\N{EN DASH}{part[1]}"


def line(
    board: Board, name: str, scores: Mapping[Key, float], history: Lengths, parts: Groups, tasks: Sequence[str]
) -> Line:
    """A method's mean score in each group: the mean over tasks, with its interval over users."""
    found = []
    for place, (low, high) in enumerate(parts):
        own = {key: score for key, score in scores.items() if low <= history[key[1:]] <= high}
        there = {key[2] for key in own}
        if there == set(tasks):
            mean = fmean(fmean(score for key, score in own.items() if key[2] == task) for task in tasks)
            ends = drawn_ends(list(own.values()), [0.0] * len(own), list(own))
            found.append(Point(float(place), 100 * mean, *(None if end is None else 100 * end for end in ends)))
    return Line(row_name(name, board.results.few(name)), tuple(found), method_kind(name))


FIGURE = Figure(
    title="Length of the history",
    source="P2P figure 5",
    about="Does a method need many items of a user? Users in groups of like size, from short histories to long ones.",
    wants="a run of `tailor eval` with its rows, whose users have histories of different lengths",
    plots=plots,
)
