"""Several runs as one comparison: a method that is the same in all of them is one row, another a row a run.

Methods of different tasks or splits are put together into one row; where two runs say something different of the same
method, split and task, the rows are named METHOD @ RUN. What a run measured over all of its tasks (costs, harm, norms)
is put together with nobody else's: where runs differ, it stands in a row a run. Knows nothing of pages.
Source: issue 4 (report).
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from operator import attrgetter
from typing import Any, TypeVar

from tailorlm.evaluation.names import OF_RUN
from tailorlm.evaluation.report_apart import Place, base_of, check, places, said_by, same_people, served
from tailorlm.evaluation.report_marks import Key
from tailorlm.evaluation.report_run import Run
from tailorlm.evaluation.results import OBJECTS, Results
from tailorlm.evaluation.table import AVERAGE

V = TypeVar("V")
Scores = Mapping[tuple[str, str], Mapping[Key, float]]
NEXT_TO = " - "
"""Between the two methods of a difference."""
WHOLE = ("harmed", "drift", "needs", "curves", "gradient_norms", "notes")
"""Parts of results that are of all of a run's tasks, by method."""
JUDGED = {"methods": "", "differences": "differences"}


@dataclass(frozen=True)
class Board:
    """Runs as one: `results` and `scores` (by method and split) have the rows' names; `named` (run, method) -> row."""

    runs: Sequence[Run]
    results: Results
    scores: Scores
    named: Mapping[tuple[str, str], str]


def board(runs: Sequence[Run]) -> Board:
    """The runs (at least one) together. ValueError for runs that asked different people the same task."""
    check(runs)
    if len(runs) == 1:
        methods = {(runs[0].name, name): name for name in known(runs[0])}
        return Board(runs, runs[0].results, runs[0].marks.scores, methods)
    named = {(run.name, name): title(runs, run, name) for run in runs for name in known(run)}
    return Board(runs, merged(runs, named), scores(runs, named), named)


def known(run: Run) -> list[str]:
    """The methods of a run, also those that only failed."""
    return list(dict.fromkeys((*run.results.methods, *run.results.failures, *(name for name, _ in run.marks.scores))))


def title(runs: Sequence[Run], run: Run, name: str) -> str:
    """A method's own name where no run says anything else of it, else with the run's name."""
    having = [one for one in runs if name in known(one)]
    if all(agree(one, other, name) for place, one in enumerate(having) for other in having[:place]):
        return name
    return of_run(name, run.name)


def agree(one: Run, other: Run, name: str) -> bool:
    """Whether two runs measured a method of one base on different things, or on the same people to the same numbers."""
    a, b = (run.results.methods.get(name, {}) for run in (one, other))
    if base_of(one) != base_of(other) or not same_people(one, other):
        return False
    same = {(split, task) for split in a.keys() & b.keys() for task in a[split].keys() & b[split].keys()}
    if not a or not b or bool(one.results.failures.get(name)) != bool(other.results.failures.get(name)):
        return False
    return all(task == AVERAGE or abs(a[split][task] - b[split][task]) < 1e-12 for split, task in same)


def scores(runs: Sequence[Run], named: Mapping[tuple[str, str], str]) -> dict[tuple[str, str], dict[Key, float]]:
    """The scores of all runs' examples under the rows' names."""
    found: dict[tuple[str, str], dict[Key, float]] = {}
    for run in runs:
        for (method, split), marks in run.marks.scores.items():
            found.setdefault((named[run.name, method], split), {}).update(marks)
    return found


def by_run(
    runs: Sequence[Run], named: Mapping[tuple[str, str], str], found: Callable[[Results], Mapping[str, V]]
) -> dict[str, V]:
    """What is `found` of each run's methods, by row; a row of which runs say different things is a row a run."""
    said: dict[str, list[tuple[str, V]]] = {}
    for run in runs:
        for name, value in found(run.results).items():
            said.setdefault(named.get((run.name, name), name), []).append((run.name, value))
    return {
        row if all(value == values[0][1] for _, value in values) else of_run(row, run): value
        for row, values in said.items()
        for run, value in reversed(values)
    }


def of_run(row: str, run: str) -> str:
    """A row with its run's name."""
    return f"{row}{OF_RUN}{run.replace(NEXT_TO, '-')}"


def merged(runs: Sequence[Run], named: Mapping[tuple[str, str], str]) -> Results:
    """The runs' results as one."""
    parts: dict[str, list[Mapping[str, Any]]] = {name: [] for name in (*OBJECTS, "methods")}
    for run in runs:
        own = {name: title for (of, name), title in named.items() if of == run.name}
        for name, found in parts.items():
            found.append(renamed(name, getattr(run.results, name), own))
    whole: dict[str, Any] = {name: together(found) for name, found in parts.items()}
    for part in WHOLE:
        whole[part] = by_run(runs, named, attrgetter(part))
    whole["timing"] = {"methods": by_run(runs, named, lambda results: results.timing.get("methods") or {})}
    whole["failures"] = failures(runs, named)
    whole["users"] = numbers(runs, named, parts["users"])
    if said_by(runs, [str(run.results.judge.get("version", "")) for run in runs]):
        whole["judge"]["version"] = ""
    whole["targets"] = [target | {"what": f"{run.name}: {target['what']}"} for run in runs for target in each(run)]
    return averaged(Results(provenance={}, **whole), [run.results for run in runs])


def each(run: Run) -> list[dict[str, Any]]:
    """The targets of a run."""
    return [dict(target) for target in run.results.targets]


def renamed(part: str, found: Mapping[str, Any], own: Mapping[str, str]) -> dict[str, Any]:
    """A part of a run's results under the rows' names, wherever methods stand in it."""
    if part == "judge":
        parts = {name: renamed(of, found.get(name) or {}, own) for name, of in JUDGED.items()}
        return {"version": found.get("version"), **parts} if found else {}
    if part == "same_users":  # of each run's own few users
        return {}
    if part == "differences":
        return {NEXT_TO.join(own.get(name, name) for name in pair.split(NEXT_TO)): by for pair, by in found.items()}
    return {own.get(name, name): value for name, value in found.items()}


def together(found: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Tables one over another at any depth; of two values the first one stays."""
    made: dict[str, Any] = {}
    for table in found:
        for name, value in table.items():
            old = made.get(name)
            both = isinstance(old, Mapping) and isinstance(value, Mapping)
            made[name] = together([old, value]) if both else made.get(name, value)  # type: ignore[list-item]
    return made


def numbers(
    runs: Sequence[Run], named: Mapping[tuple[str, str], str], parts: Sequence[Mapping[str, int]]
) -> dict[str, int]:
    """Numbers of users on which all runs agree; where a run asked only some users of another's, all of these, and
    how few each of its rows is of.
    """
    found = agreed([run.results.users for run in runs], parts)
    for split in {split for run in runs for split in run.results.splits()}:
        having = [run for run in runs if split in run.results.users and split in run.results.splits()]
        asked = [{place for place in places(run) if place[0] == split} for run in having]
        if having and all(one == asked[0] for one in asked):
            found[split] = max(run.results.users[split] for run in having)
    few = {run.name: count for run in runs if (count := served(runs, run)) is not None}
    for (name, _), row in named.items():
        if name in few:
            found[row] = min(few[name], found.get(row, few[name]))
    own = {(run.name, name): run.results.users.get(name) for run in runs for name in known(run)}
    apart = {of_run(row, name): own[name, method] or few.get(name) for (name, method), row in named.items()}
    return {row: count for row, count in apart.items() if count} | found


def failures(runs: Sequence[Run], named: Mapping[tuple[str, str], str]) -> dict[str, dict[str, dict[str, Any]]]:
    """How many rows failed and why, over all runs; of what several runs asked, the first one's."""
    made: dict[str, dict[str, dict[str, Any]]] = {}
    counted: dict[tuple[str, str], set[Place]] = {}
    for run in runs:
        for name, by in run.results.failures.items():
            for split, one in by.items():
                row = named[run.name, name]
                own = {place for place in places(run) if place[0] == split}
                if own & counted.setdefault((row, split), set()):
                    continue
                counted[row, split] |= own
                old = made.setdefault(row, {}).setdefault(split, {"rows": 0, "failed": 0, "reasons": {}})
                old["rows"], old["failed"] = old["rows"] + one["rows"], old["failed"] + one["failed"]
                old["reasons"] = dict((Counter(old["reasons"]) + Counter(one["reasons"])).most_common(5))
    return made


def agreed(users: Sequence[Mapping[str, int]], parts: Sequence[Mapping[str, int]]) -> dict[str, int]:
    """Numbers of users of which all runs that have them say the same."""
    every = together(parts)
    return {
        name: count for name, count in every.items() if all(one.get(name, count) == count for one in (*users, *parts))
    }


def averaged(results: Results, runs: Sequence[Results]) -> Results:
    """Averages over all tasks of a split, for methods that have them all; an interval only where a run has it so."""
    tasks = {split: tasks_of(results, split) for split in results.splits()}
    methods = {
        name: {split: average(found, tasks[split]) for split, found in by.items()}
        for name, by in results.methods.items()
    }
    whole = {split for split in tasks if all(tasks_of(run, split) in ([], tasks[split]) for run in runs)}
    judged = {part: found for part, found in results.judge.items() if part != "version"}
    intervals, gaps, *marks = (
        {name: without(by, whole) for name, by in part.items()}
        for part in (results.intervals, results.differences, *judged.values())
    )
    judge = {**results.judge, **dict(zip(judged, marks, strict=True))}
    return replace(results, methods=methods, intervals=intervals, differences=gaps, judge=judge)


def tasks_of(results: Results, split: str) -> list[str]:
    """The tasks of a split that any method has, sorted."""
    return sorted({task for by in results.methods.values() for task in by.get(split, {}) if task != AVERAGE})


def average(found: Mapping[str, float], tasks: Sequence[str]) -> dict[str, float]:
    """A method's scores of a split, with their average where it has all tasks."""
    own = {task: score for task, score in found.items() if task != AVERAGE}
    return own | ({AVERAGE: sum(own.values()) / len(own)} if sorted(own) == list(tasks) else {})


def without(by: Mapping[str, Mapping[str, V]], whole: set[str]) -> dict[str, dict[str, V]]:
    """Values by split and task without the averages of splits that no run has in whole."""
    return {
        split: {task: value for task, value in found.items() if split in whole or task != AVERAGE}
        for split, found in by.items()
    }
