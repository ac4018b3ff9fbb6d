"""The average rows of the papers' tables: P2P's by kind of task, PRISP's composite.

A method has an average only over all tasks that the kind has on the split: means over different tasks do not compare.
Knows nothing of pages. Source: P2P tables 1, 2; PRISP tables 2, 3; metrics/averages.py.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from tailorlm.assembly.datasets import task_of
from tailorlm.evaluation.names import in_order
from tailorlm.evaluation.results import Results, Scores
from tailorlm.metrics.averages import KINDS, averages, composite_average, kind_of

SHOWN = {"classification": ("accuracy", "f1_weighted"), "generation": ("rouge1", "rougeL"), "rating": ("mae", "rmse")}
NAMES = {
    "accuracy": "Accuracy",
    "f1_weighted": "F1, weighted",
    "f1_macro": "F1, macro",
    "rouge1": "ROUGE-1",
    "rougeL": "ROUGE-L",
    "exact_match": "Exact match",
    "mae": "MAE",
    "rmse": "RMSE",
    "invalid": "Invalid answers",
    "judge": "Judge, 1 to 5",
}
"""What metrics are called."""
LOWER = frozenset({"mae", "rmse"})
"""Metrics of which less is better."""
COMPOSITE = "PRISP's composite"
"""The title of the column."""


@dataclass(frozen=True, slots=True)
class Column:
    """An average: its title, whether less is better, and its value by method."""

    title: str
    lower: bool
    values: Mapping[str, float]


def metric_name(name: str) -> str:
    """What a metric is called."""
    return NAMES.get(name, name.replace("_", " ").capitalize())


def kinds(results: Results, split: str) -> dict[str, str]:
    """The kind of each task of a split whose metrics say it; none of a task that the papers have judged only."""
    found: dict[str, str] = {}
    for name in results.attributes:
        for task, scores in results.metrics(name, split).items():
            if not task_of(task).judged and any(names[0] in scores for names in KINDS.values()):
                found.setdefault(task, kind_of(scores))
    return {task: found[task] for task in results.tasks() if task in found}


def columns(results: Results, split: str) -> list[Column]:
    """The papers' averages of a split: none of a task alone, which is its own average."""
    of_kind = kinds(results, split)
    if len(of_kind) < 2:
        return []
    found = [column(results, split, of_kind, kind, metric) for kind in SHOWN for metric in SHOWN[kind]]
    return [one for one in (*found, composites(results, split, of_kind)) if one.values]


def column(results: Results, split: str, of_kind: Mapping[str, str], kind: str, metric: str) -> Column:
    """One metric's mean over the tasks of a kind, for methods that have them all."""
    tasks = [task for task, its in of_kind.items() if its == kind]
    values = {}
    for name in in_order(results.attributes):
        whole = complete(results, name, split, tasks)
        if whole and all(set(SHOWN[kind]) | set(KINDS[kind]) <= scores.keys() for scores in whole.values()):
            values[name] = averages(whole)[kind][metric]
    counted = f" ({len(tasks)} tasks)" if len(tasks) > 1 else ""
    return Column(f"{kind.capitalize()}{counted}: {NAMES[metric]}", metric in LOWER, values)


def composites(results: Results, split: str, of_kind: Mapping[str, str]) -> Column:
    """PRISP's number over all tasks that have metrics of a kind."""
    values = {}
    for name in in_order(results.attributes):
        whole = complete(results, name, split, list(of_kind))
        if whole and all(needed(scores) for scores in whole.values()):
            values[name] = composite_average(whole)
    return Column(COMPOSITE, False, values)


def needed(scores: Scores) -> bool:
    """Whether a task has the two metrics that its composite is made of."""
    return all(metric in scores for metric in KINDS[kind_of(scores)][:2])


def complete(results: Results, name: str, split: str, tasks: list[str]) -> dict[str, Scores]:
    """A method's metrics of all `tasks`; none where one is missing."""
    found = results.metrics(name, split)
    return {task: found[task] for task in tasks} if tasks and all(task in found for task in tasks) else {}
