"""A figure of the report: what it is, where the papers have it, and how runs become its numbers.

A file of evaluation/figures/ is a figure if it exports `FIGURE`. Knows nothing of drawing. Source: issue 4 (report).
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from tailorlm.evaluation.names import split_name, task_name
from tailorlm.evaluation.plots import Axis, Line, Lines, Plot, Point
from tailorlm.evaluation.report_averages import kinds
from tailorlm.evaluation.report_merge import Board
from tailorlm.evaluation.report_sweep import Member, Series
from tailorlm.evaluation.results import Results
from tailorlm.plugins import find, names

PACKAGE = "evaluation.figures"
SCORE = Axis("score, 0 to 100", lambda value: f"{value:.1f}".removesuffix(".0"))


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
        label, told, "steps", {place: told(place) for place in sorted(place for place in places if place is not None)}
    )
    found: dict[tuple[str, str], list[Line]] = {}
    for one in series:
        run = one.members[0].run
        for split in run.results.splits():
            for kind, tasks in panels(run.results, split).items():
                line = Line(one.name, spots(one.members, split, tasks, at), one.kind)
                if len(line.points) > 1:
                    title = f"{panel_title(kind, tasks)}: {split_name(split).lower()}"
                    found.setdefault((split, title), []).append(line)
    return [Lines(title, axis, SCORE, tuple(lines)) for (_, title), lines in found.items()]


def spots(
    members: Sequence[Member], split: str, tasks: Sequence[str], at: Callable[[Any], float | None]
) -> tuple[Point, ...]:
    """The members' scores at their values, from left to right."""
    found = [spot(member, split, tasks, place) for member in members if (place := at(member.value)) is not None]
    return tuple(sorted((one for one in found if one is not None), key=lambda point: point.x))


def spot(member: Member, split: str, tasks: Sequence[str], place: float) -> Point | None:
    """A member's mean score over the tasks, with its interval where it is one task; None where it lacks one."""
    results, method = member.run.results, member.method
    scores = [results.score(method, split, task) for task in tasks]
    known = [100 * score for score in scores if score is not None]
    if len(known) < len(tasks):
        return None
    ends = results.interval(method, split, tasks[0]) if len(tasks) == 1 else None
    return Point(place, sum(known) / len(known), *((100 * ends[0], 100 * ends[1]) if ends else (None, None)))
