"""What the judge said of each method's answers, read from its parts: scores, and why there is none.

Several seeds: an example's score is the mean over them. Keeps numbers and ids, no texts. Knows nothing of models or
pages. Source: issue 4 (an unparsable judgement is recorded, never scored).
"""

from collections import Counter
from collections.abc import Container, Sequence
from dataclasses import dataclass, field
from typing import Any

from tailorlm.evaluation.plan import Plan
from tailorlm.evaluation.rows import read_as
from tailorlm.evaluation.runner_judge import Judging
from tailorlm.evaluation.runner_judge_sheets import Judged
from tailorlm.evaluation.scores import Answer
from tailorlm.evaluation.table import AVERAGE, intervals, summary

FAULTS = ("unparsable", "failed")
Asked = tuple[str, str, str, int]
"""(example, user, task, seed) of a judgement."""


@dataclass
class Marks:
    """What the judge said of a method on a split."""

    scores: dict[Asked, int] = field(default_factory=dict)
    faults: dict[Asked, str] = field(default_factory=dict)
    reasons: Counter[str] = field(default_factory=Counter)

    def add(self, row: Judged) -> None:
        """Count a judgement in."""
        asked = (row.example_id, row.user_id, row.task, row.seed)
        if row.score is not None:
            self.scores[asked] = row.score
        else:
            self.faults[asked] = row.fault
            self.reasons[row.reason] += 1

    def counts(self) -> dict[str, dict[str, int]]:
        """By task how many were judged, and how many were not and why."""
        judged = Counter(task for _, _, task, _ in self.scores)
        faults = Counter((task, fault) for (_, _, task, _), fault in self.faults.items())
        tasks = sorted({*judged, *(task for task, _ in faults)})
        return {task: {"judged": judged[task], **{fault: faults[task, fault] for fault in FAULTS}} for task in tasks}

    def answers(self, among: Container[Asked] | None = None) -> list[Answer]:
        """A score an example, of all judgements or of those `among`."""
        found: dict[tuple[str, str, str], list[int]] = {}
        for asked, score in self.scores.items():
            if among is None or asked in among:
                found.setdefault(asked[:3], []).append(score)
        return [Answer(*asked, "", "", mean(said)) for asked, said in found.items()]

    def table(self, resamples: int, seed: int) -> dict[str, dict[str, Any]]:
        """By task (and "average", where there are several) the mean, its interval where there is one, and counts."""
        answers = self.answers()
        means = summary(answers) if answers else {}
        ends = intervals(answers, resamples, seed) if answers else {}
        shown = {
            task: {"mean": mean, **(dict(zip(("low", "high"), ends[task], strict=True)) if task in ends else {})}
            for task, mean in means.items()
        }
        counted = {task: shown.get(task, {}) | counts for task, counts in self.counts().items()}
        # A mean over the tasks needs a score of each.
        whole = len(counted) > 1 and all(task in shown for task in counted)
        return counted | ({AVERAGE: shown[AVERAGE]} if whole else {})


def mean(said: Sequence[int]) -> float:
    """The mean over the seeds."""
    return sum(said) / len(said)


def read(plan: Plan, work: Judging) -> dict[str, dict[str, Marks]]:
    """The judgements of every method on every split; a part in memory at a time."""
    found: dict[str, dict[str, Marks]] = {}
    for cell, path in plan.parts():
        part = work.folder / path.relative_to(plan.folder)
        if work.wants(cell) and part.exists():
            marks = found.setdefault(cell.method.name, {}).setdefault(cell.split, Marks())
            for row in read_as(Judged, part):
                marks.add(row)
    return found
