"""Which runs can stand on one page: those that asked the same people, or some of them; and what to keep in mind.

Who was asked is known by ids and digests of targets (report_marks.py): the same ids with other targets are other
people. Knows nothing of pages. Source: issue 4 (several runs).
"""

from collections.abc import Sequence, Set
from itertools import combinations

from tailorlm.evaluation.names import split_name, task_name
from tailorlm.evaluation.report_run import Run
from tailorlm.evaluation.table import AVERAGE

Asked = Set[tuple[str, str]]
"""(user, digest of the target)."""
Place = tuple[str, str]
"""(split, task)."""


def check(runs: Sequence[Run]) -> None:
    """ValueError, in plain words, where two runs asked different people the same task: nothing of them compares."""
    for one, other in combinations(runs, 2):
        for place in sorted(places(one) & places(other)):
            wrong = unlike(one, other, place)
            if wrong:
                split, task = place
                raise ValueError(
                    f"{one.name} and {other.name} cannot stand on one page: {wrong} ({task_name(task)}, "
                    f"{split_name(split).lower()}). Scores of different people do not compare: report each run alone, "
                    "or evaluate both on the same users"
                )


def unlike(one: Run, other: Run, place: Place) -> str:
    """What is not the same in whom two runs asked; nothing where one asked all whom the other asked."""
    a, b = (run.marks.asked.get(place, set()) for run in (one, other))
    if not a or not b:
        counts = [run.results.users.get(place[0]) for run in (one, other)]
        return f"they asked {counts[0]} and {counts[1]} users" if None not in counts and counts[0] != counts[1] else ""
    if a <= b or b <= a:
        return ""
    people, others = ({user for user, _ in found} for found in (a, b))
    if people <= others or others <= people:
        return "they asked users of the same ids who answered otherwise: other people, or other questions"
    shared = len(people & others)
    return f"they asked {len(people)} and {len(others)} users, {shared or 'none'} of them the same"


def places(run: Run) -> set[Place]:
    """The splits and tasks of a run."""
    by_split = [(split, task) for by in run.results.methods.values() for split, found in by.items() for task in found]
    return {place for place in by_split if place[1] != AVERAGE}


def same_people(one: Run, other: Run) -> bool:
    """Whether two runs asked the very same people wherever they asked the same task."""
    shared = places(one) & places(other)
    return all(one.marks.asked.get(place) == other.marks.asked.get(place) for place in shared)


def people(run: Run, split: str) -> int | None:
    """How many users a run asked on a split; None where it does not say."""
    said = run.results.users.get(split)
    return said if said is not None else len({u for (of, _), a in run.marks.asked.items() if of == split for u, _ in a})


def served(runs: Sequence[Run], run: Run) -> int | None:
    """How many users a run asked, where that is only some of those whom another run asked; None where it is all."""
    for split in run.results.splits():
        own = people(run, split) or 0
        if any((people(other, split) or 0) > own > 0 for other in runs if places(run) & places(other)):
            return own
    return None


def remarks(runs: Sequence[Run]) -> list[str]:
    """What else sets runs apart, in sentences: base models, machines, users of whom only some were asked."""
    bases = said_by(runs, [base_of(run) for run in runs])
    judges = said_by(runs, [str(run.results.judge.get("version", "")) for run in runs])
    machines = said_by(runs, [str(run.results.provenance.get("machine", "")) for run in runs])
    few = [f"{run.name} asked {count} of the users only" for run in runs if (count := served(runs, run)) is not None]
    unknown = [run.name for run in runs if not run.marks.asked]
    return [
        *([f"The base models differ: {bases}. A difference between rows of two runs is the model's too."] if bases
          else []),
        *([f"The judges differ: {judges}. What one says does not compare with what another says."] if judges else []),
        *([f"The machines differ: {machines}. Their seconds and bytes do not compare."] if machines else []),
        *([f"{'; '.join(few)}: such rows say so, and are not ranked."] if few else []),
        *([f"No rows or answers are kept of {', '.join(unknown)}: whether the same users were asked cannot be told."]
          if unknown and len(runs) > 1 else []),
    ]  # fmt: skip


def base_of(run: Run) -> str:
    """The base model that a run's recipe names; empty where it names none."""
    base = run.recipe.get("base")
    name = base.get("name", "") if isinstance(base, dict) else ""
    return str(name)


def said_by(runs: Sequence[Run], values: Sequence[str]) -> str:
    """Which run says what, where they do not all say the same; empty where they do."""
    known = list(dict.fromkeys(value for value in values if value))
    if len(known) < 2:
        return ""
    named = [(value, [run.name for run, said in zip(runs, values, strict=True) if said == value]) for value in known]
    return "; ".join(f"{value} ({', '.join(names)})" for value, names in named)
