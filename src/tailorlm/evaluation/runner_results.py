"""What an evaluation found, from its rows: `results.json` as the report reads it, with what methods took and need.

Reads one part at a time and keeps scores and counts only. Knows nothing of models. Several seeds: an example's score
is the mean over them, a number of answers the sum. Source: issue 2 section 3 (results.json); issue 4 (measures,
failures).
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from operator import itemgetter
from typing import Any

from tailorlm.assembly.datasets import task_of
from tailorlm.evaluation.plan import Plan
from tailorlm.evaluation.rows import Row, read_part
from tailorlm.evaluation.runner_costs import Costs, break_evens, cumulative
from tailorlm.evaluation.scores import COUNTS, Answer
from tailorlm.evaluation.table import difference, harmed, intervals, key, summary

COMPARED = (
    ("p2p", "base"), ("p2p", "mt_lora"), ("p2p", "p2p_shuffled"), ("p2p", "floor_user"), ("mt_lora", "base"),
    ("p2p_shuffled", "mt_lora"), ("base_profile", "base"),
)  # fmt: skip
"""The differences that come first where both rows are there; then every other row minus the base."""
Key = tuple[str, str, str]
Answers = Mapping[str, Mapping[str, list[Answer]]]
"""By method and split."""


@dataclass
class Found:
    """What the rows of a method on a split say."""

    scores: dict[Key, list[float]] = field(default_factory=dict)
    metrics: dict[str, list[dict[str, float]]] = field(default_factory=dict)
    reasons: Counter[str] = field(default_factory=Counter)
    costs: Costs = field(default_factory=Costs)

    def answers(self) -> list[Answer]:
        """An answer an example, its score the mean over the seeds; texts are left behind."""
        return [
            Answer(example, user, task, "", "", sum(marks) / len(marks))
            for (example, user, task), marks in self.scores.items()
        ]

    def attributes(self) -> dict[str, dict[str, float]]:
        """What each task's own metrics say, over the seeds."""
        return {task: over_seeds(said) for task, said in sorted(self.metrics.items())}


def over_seeds(said: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """The mean of each number; of numbers of answers the sum."""
    return {name: sum(one[name] for one in said) / (1 if name in COUNTS else len(said)) for name in said[0]}


def read(plan: Plan) -> dict[str, dict[str, Found]]:
    """The rows of every method on every split: found[method][split]; one cell's rows in memory at a time."""
    found: dict[str, dict[str, Found]] = {}
    for cell, parts in groupby(plan.parts(), key=itemgetter(0)):
        into = found.setdefault(cell.method.name, {}).setdefault(cell.split, Found())
        add(into, [row for _, path in parts if path.exists() for row in read_part(path)])
    return found


def add(found: Found, rows: Sequence[Row]) -> None:
    """Count the rows of one task and seed in."""
    for row in rows:
        found.costs.add(row)
        if row.failure is not None:
            found.reasons[row.failure] += 1
        elif row.score is not None:
            found.scores.setdefault((row.example_id, row.user_id, row.task), []).append(row.score)
    said = [(row.output, row.target) for row in rows if row.failure is None and row.output is not None]
    if said:
        name = rows[0].task
        measured = task_of(name).metrics([output for output, _ in said], [target for _, target in said])
        found.metrics.setdefault(name, []).append(measured)


def results(
    plan: Plan, found: Mapping[str, Mapping[str, Found]], once: Mapping[str, float | None], resamples: int, seed: int
) -> dict[str, Any]:
    """What results.json says of the rows; `once` are the seconds that preparing each method took."""
    answers = {name: {split: one.answers() for split, one in by.items() if one.scores} for name, by in found.items()}
    answers = {name: by for name, by in answers.items() if by}
    few = limited(plan)
    return {
        "methods": {name: {split: summary(rows) for split, rows in by.items()} for name, by in answers.items()},
        "intervals": {
            name: {split: intervals(rows, resamples, seed) for split, rows in by.items()}
            for name, by in answers.items()
        },
        "differences": differences(answers, resamples, seed),
        "attributes": {
            name: {split: one.attributes() for split, one in by.items() if one.metrics} for name, by in found.items()
        },
        "harmed": harms(answers),
        "same_users": same_users(plan, answers, few),
        "users": {
            **{split: len(store) for split, store in plan.splits.items()},
            **{name: min(users, *(len(store) for store in plan.splits.values())) for name, users in few.items()},
        },
        "queries": sum(sum(store.asked.values()) for store in plan.splits.values()),
        "timing": timing(plan, found, once),
        "failures": failed(found),
    }


def limited(plan: Plan) -> dict[str, int]:
    """The methods that serve the first users only, and how many."""
    return {method.name: way.users for way in plan.ways for method in way.methods if way.users}


def differences(answers: Answers, resamples: int, seed: int) -> dict[str, Any]:
    """ "a - b" by split, where both answered the same."""
    found: dict[str, Any] = {}
    for a, b in pairs(answers):
        for split in answers.get(a, {}).keys() & answers.get(b, {}).keys():
            one, other = answers[a][split], answers[b][split]
            if same(one, other) and (drawn := difference(one, other, resamples, seed)):
                found.setdefault(f"{a} - {b}", {})[split] = drawn
    return found


def pairs(names: Iterable[str], reference: str = "base") -> list[tuple[str, str]]:
    """The pairs of methods that are compared: COMPARED, then every other one with the reference; floors are not."""
    others = [(name, reference) for name in names if name != reference and not name.startswith("floor_")]
    return [*COMPARED, *(pair for pair in others if not {pair, pair[::-1]} & {*COMPARED})]


def same(one: Sequence[Answer], other: Sequence[Answer]) -> bool:
    """Whether both answered the same examples."""
    return {key(answer) for answer in one} == {key(answer) for answer in other}


def harms(answers: Answers) -> dict[str, dict[str, float]]:
    """The share of users worse off than with the base, by method and split, where both answered the same."""
    base = answers.get("base", {})
    return {
        name: {split: harmed(rows, base[split]) for split, rows in by.items() if same(rows, base.get(split, []))}
        for name, by in answers.items()
        if name != "base" and base
    }


def same_users(plan: Plan, answers: Answers, few: Mapping[str, int]) -> dict[str, dict[str, float]]:
    """Every method's scores on the first split's users whom all limited methods served."""
    split = next(iter(plan.splits))
    users = set(plan.splits[split].ids[: min(few.values())]) if few else set()
    own = {name: [answer for answer in by.get(split, []) if answer.user_id in users] for name, by in answers.items()}
    return {name: summary(rows) for name, rows in own.items() if rows}


def timing(plan: Plan, found: Mapping[str, Mapping[str, Found]], once: Mapping[str, float | None]) -> dict[str, Any]:
    """Seconds of each method; its measures by split; cumulative time and break-even counts on the first split."""
    split = next(iter(plan.splits))
    costs = {name: cost for name, by in found.items() if (cost := by[split].costs.cost(once.get(name))) is not None}
    return {
        "seconds": {name: round(sum(one.costs.seconds for one in by.values()), 2) for name, by in found.items()},
        "methods": {
            name: {split: one.costs.table(once.get(name)) for split, one in by.items()} for name, by in found.items()
        },
        "cumulative": cumulative(costs, len(plan.splits[split])),
        "break_even": break_evens(costs),
    }


def failed(found: Mapping[str, Mapping[str, Found]]) -> dict[str, dict[str, Any]]:
    """The methods with rows that failed: how many of how many, and the reasons."""
    odd = {
        name: {
            split: {"rows": one.costs.rows, "failed": one.costs.failed, "reasons": dict(one.reasons.most_common(5))}
            for split, one in by.items()
            if one.costs.failed
        }
        for name, by in found.items()
    }
    return {name: by for name, by in odd.items() if by}
