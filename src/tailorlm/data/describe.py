"""What is in a dataset, in numbers: the content of `tailor data check`.

Pure and streaming: users are counted one by one and not kept. Knows nothing of files. No users' text in the
result: lengths are in characters; outputs are named only where they are evidently labels (`FEW`, `SHORT`,
`EACH`).
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from .load import by_user
from .problems import Report
from .records import Dataset, Example, User

FEW, SHORT, EACH = 30, 40, 5
Described = dict[str, object]


@dataclass
class Outputs:
    """Counts of a task's different outputs, given up for good once they are not labels."""

    counts: Counter[str] = field(default_factory=Counter)
    labels: bool = True

    def add(self, output: str) -> None:
        """Count one more."""
        if self.labels:
            self.counts[output] += 1
            self.labels = len(output) <= SHORT and len(self.counts) <= FEW
        if not self.labels:
            self.counts.clear()

    def described(self) -> dict[str, int] | None:
        """Counts by label, most frequent first; None for free text and where most outputs are different."""
        if not self.labels or not self.counts or self.counts.total() < EACH * len(self.counts):
            return None
        return dict(sorted(self.counts.items(), key=lambda pair: (-pair[1], pair[0])))


@dataclass
class Tally:
    """What has been counted; its size grows with the number of different lengths and tasks only."""

    users: int = 0
    profiles: int = 0
    empty_histories: int = 0
    timed: int = 0
    no_target: int = 0
    histories: Counter[int] = field(default_factory=Counter)
    inputs: Counter[int] = field(default_factory=Counter)
    outputs: Counter[int] = field(default_factory=Counter)
    query_inputs: Counter[int] = field(default_factory=Counter)
    query_outputs: Counter[int] = field(default_factory=Counter)
    tasks: Counter[str] = field(default_factory=Counter)
    asked: Counter[str] = field(default_factory=Counter)
    labels: defaultdict[str, Outputs] = field(default_factory=lambda: defaultdict(Outputs))
    query_labels: defaultdict[str, Outputs] = field(default_factory=lambda: defaultdict(Outputs))

    def add(self, user: User, queries: Sequence[Example]) -> None:
        """Count a user and their queries."""
        self.users += 1
        self.profiles += user.profile is not None
        self.empty_histories += not user.history
        self.histories[len(user.history)] += 1
        for item in user.history:
            self.timed += item.time is not None
            self.inputs[len(item.input)] += 1
            self.outputs[len(item.output)] += 1
            self.tasks[item.task or ""] += 1
            self.labels[item.task or ""].add(item.output)
        for query in queries:
            self.add_query(query)

    def add_query(self, query: Example) -> None:
        """Count a query."""
        task = query.task or ""
        self.asked[task] += 1
        self.query_inputs[len(query.input)] += 1
        if query.target is None:
            self.no_target += 1
        else:
            self.query_outputs[len(query.target)] += 1
            self.query_labels[task].add(query.target)


def describe(source: Dataset | Iterable[tuple[User, Sequence[Example]]], report: Report | None = None) -> Described:
    """Counts and lengths of a dataset or a stream of users; `report` is the one that reading the stream
    fills.

    Spreads are `{"min", "median", "max"}`, in items or characters, None where there is nothing; the median is
    the lower one of an even number. Tasks that the data does not name are under "".
    """
    tally = Tally()
    for user, queries in by_user(source) if isinstance(source, Dataset) else source:
        tally.add(user, queries)
    return _counts(tally) | _lengths(tally) | {
        "tasks": {task: _task(tally, task) for task in sorted(tally.tasks | tally.asked)},
        "problems": _problems(report or Report()),
    }  # fmt: skip


def spread(lengths: Counter[int]) -> dict[str, int] | None:
    """Smallest, lower median and largest of counted lengths."""
    if not lengths:
        return None
    middle, passed = (lengths.total() + 1) // 2, 0
    for median in sorted(lengths):
        passed += lengths[median]
        if passed >= middle:
            break
    return {"min": min(lengths), "median": median, "max": max(lengths)}


def _counts(tally: Tally) -> Described:
    return {
        "users": tally.users,
        "users_with_profile": tally.profiles,
        "empty_histories": tally.empty_histories,
        "interactions": tally.inputs.total(),
        "interactions_with_time": tally.timed,
        "queries": tally.asked.total(),
        "queries_without_target": tally.no_target,
    }


def _lengths(tally: Tally) -> Described:
    return {
        "history": spread(tally.histories),
        "input_chars": spread(tally.inputs),
        "output_chars": spread(tally.outputs),
        "query_input_chars": spread(tally.query_inputs),
        "query_output_chars": spread(tally.query_outputs),
    }


def _task(tally: Tally, task: str) -> Described:
    return {
        "interactions": tally.tasks[task],
        "interaction_labels": tally.labels[task].described(),
        "queries": tally.asked[task],
        "query_labels": tally.query_labels[task].described(),
    }


def _problems(report: Report) -> Described:
    return {
        "count": report.count,
        "by_field": dict(report.fields.most_common()),
        "first": [str(problem) for problem in report.problems],
        "notes": dict(report.notes.most_common()),
    }
