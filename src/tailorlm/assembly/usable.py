"""What of users' data no training and no score can use, counted as it is read: answers that are no label of their task.

Nothing is left out here: an item that makes no pair is still shown by contexts and profiles, a query that cannot be
scored is a failed row. Knows nothing of files. Source: design section 5 (nothing is silently skipped).
"""

from collections.abc import Iterable, Iterator
from random import Random

from tailorlm.assembly.datasets import task_of
from tailorlm.assembly.store import Asked
from tailorlm.data.problems import Report
from tailorlm.data.records import Example, Interaction
from tailorlm.tasks.task import Pool


def watched(pairs: Iterable[Asked], report: Report) -> Iterator[Asked]:
    """The pairs as they are; `report` notes the items that make no training pair, and the queries without a score."""
    for user, queries in pairs:
        for item in user.history:
            if no_label(item.task, item.output) and makes_nothing(item):
                report.note(f"items of {item.task} whose answer is none of its labels")
        for query in queries:
            if query.target is not None and no_score(query):
                report.note(f"queries of {query.task} whose answer cannot be scored")
        yield user, queries


def no_label(task: str | None, answer: str) -> bool:
    """Whether a task has labels, and this is none of them as it stands."""
    labels = task_of(task).labels
    return labels is not None and answer not in labels


def makes_nothing(item: Interaction) -> bool:
    """Whether no training pair can be made of an item; of tasks that need others' items nobody knows here."""
    task = task_of(item.task)
    return not task.others and task.pair(item, Pool(), Random(0)) is None


def no_score(query: Example) -> bool:
    """Whether no answer to a query could be scored."""
    target = query.target or ""
    if not no_label(query.task, target):
        return False
    try:
        task_of(query.task).score([target], [target])
    except ValueError:
        return True
    return False
