"""A figure of the report: what it is, where the papers have it, and how runs become its numbers.

A file of evaluation/figures/ is a figure if it exports `FIGURE`. Knows nothing of drawing. Source: issue 4 (report).
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from tailorlm.evaluation.names import OF_RUN, foremost, split_name, task_name
from tailorlm.evaluation.plots import FAINT, Axis, Line, Lines, Plot, Point, plainly, written
from tailorlm.evaluation.report_averages import kinds
from tailorlm.evaluation.report_merge import Board
from tailorlm.evaluation.report_significance import drawn_ends
from tailorlm.evaluation.report_sweep import Member, Series
from tailorlm.evaluation.results import Results
from tailorlm.plugins import find, names

PACKAGE, LINES = "evaluation.figures", 8
"""Lines of a picture at most that have names: more cannot be told apart."""
SCORE = Axis("score, 0 to 100", lambda value: written(f"{value:.1f}"), plainly)


@dataclass(frozen=True, slots=True)
class Figure:
    """`plots` gives one picture or more, or none where the runs do not hold what it shows.

    source: the papers' figure that it is the counterpart of; figures stand in its order.
    wants: what runs would make it, in a sentence with a command.
    """

    title: str
    source: str
    about: str
    wants: str
    plots: Callable[[Board], Sequence[Plot]]


def figures() -> list[Figure]:
    """All figures there are."""
    found = [find(PACKAGE, name).FIGURE for name in names(PACKAGE)]
    return sorted(found, key=lambda one: (one.source, one.title))


def faded(lines: Mapping[str, Line]) -> tuple[Line, ...]:
    """The lines (by method), of many all but the foremost without their names, behind the others."""
    shown = foremost(list(lines), LINES)
    return tuple(line if name in shown else replace(line, kind=FAINT) for name, line in lines.items())


def panels(results: Results, split: str) -> dict[str, list[str]]:
    """The tasks of a split by what they ask for; tasks whose metrics do not say it stand alone."""
    of_kind = kinds(results, split)
    found: dict[str, list[str]] = {}
    for task in results.tasks():
        if any(task in by.get(split, {}) for by in results.methods.values()) and task != "average":
            found.setdefault(of_kind[task].capitalize() if task in of_kind else task_name(task), []).append(task)
    return found


def panel_title(kind: str, tasks: Sequence[str]) -> str:
    """What a panel is called: a single task by its name."""
    return task_name(tasks[0]) if len(tasks) == 1 else f"{kind} ({len(tasks)} tasks)"


def number(value: Any) -> float | None:
    """A setting as a number: "all" is more than any; None for what is none."""
    if value == "all":
        return math.inf
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def counted(value: float) -> str:
    """Such a number in words."""
    return "all" if math.isinf(value) else f"{value:g}"


def swept(
    series: Sequence[Series], label: str, told: Callable[[float], str] = counted,
    at: Callable[[Any], float | None] = number,
) -> list[Lines]:  # fmt: skip
    """A picture a split and kind of task, a line a series: the mean score over the tasks of the kind.

    `at` turns a value of the swept setting into a number (None: it has no place here), `told` that number into words;
    numbers stand evenly apart.
    """
    places = {at(member.value) for one in series for member in one.members}
    axis = Axis(
        label,
        told,
        None,
        "steps",
        {place: told(place) for place in sorted(place for place in places if place is not None)},
    )
    found: dict[tuple[str, str], dict[str, Line]] = {}
    for place, one in enumerate(series):
        run = one.members[0].run
        for split in run.results.splits():
            for kind, tasks in panels(run.results, split).items():
                line = Line(one.name, spots(one.members, split, tasks, at), one.kind)
                if len(line.points) > 1:
                    title = f"{panel_title(kind, tasks)}: {split_name(split).lower()}"
                    found.setdefault((split, title), {})[f"{one.members[0].method}{OF_RUN}{place}"] = line
    return [Lines(title, axis, SCORE, faded(lines)) for (_, title), lines in found.items()]


def spots(
    members: Sequence[Member], split: str, tasks: Sequence[str], at: Callable[[Any], float | None]
) -> tuple[Point, ...]:
    """The members' scores at their values, from left to right."""
    found = [spot(member, split, tasks, place) for member in members if (place := at(member.value)) is not None]
    return tuple(sorted((one for one in found if one is not None), key=lambda point: point.x))


def spot(member: Member, split: str, tasks: Sequence[str], place: float) -> Point | None:
    """A member's mean score over the tasks, with its interval where the run says one; None where it lacks a task."""
    results, method = member.run.results, member.method
    scores = [results.score(method, split, task) for task in tasks]
    known = [100 * score for score in scores if score is not None]
    if len(known) < len(tasks):
        return None
    ends = results.interval(method, split, tasks[0]) if len(tasks) == 1 else drawn(member, split, tasks)
    return Point(place, sum(known) / len(known), *((100 * ends[0], 100 * ends[1]) if ends else (None, None)))


def drawn(member: Member, split: str, tasks: Sequence[str]) -> tuple[float, float] | None:
    """The interval of a mean over several tasks, from the scores of the run's examples; None without these."""
    found = member.run.marks.scores.get((member.method, split), {})
    own = {key: score for key, score in found.items() if key[2] in tasks}
    low, high = drawn_ends(list(own.values()), [0.0] * len(own), list(own)) if own else (None, None)
    return None if low is None or high is None else (low, high)
