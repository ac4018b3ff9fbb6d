"""Judges what was answered: a judgement an answer, in Parquet parts beside the rows' own, each written when it is full.

What was judged in the same words stays; what could not be asked is asked again. A server that is lost stays lost: the
rest is recorded unasked. Knows nothing of a judge's words (judge.py) or of methods. Source: issue 4 (LLM judge).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from tailorlm.assembly.compared import FLOOR, nearest
from tailorlm.assembly.datasets import task_of
from tailorlm.assembly.judging import JudgeSettings
from tailorlm.evaluation.floors import is_written
from tailorlm.evaluation.judge import FAILED, Judge, Judgement, Question, make
from tailorlm.evaluation.plan import Cell, Chunk, Plan, Way
from tailorlm.evaluation.rows import answered
from tailorlm.evaluation.runner import Show
from tailorlm.evaluation.runner_desk import Desk
from tailorlm.evaluation.runner_judge_sheets import Sheet, sheet
from tailorlm.profiles.endpoint import NOT_SENT

FOLDER, REPLIES = "judged", "judge_replies"


@dataclass
class Line:
    """The judge, until its server is `lost`: from then on nobody is asked."""

    judge: Judge
    lost: str = ""

    def stream(self, questions: Sequence[Question]) -> Iterator[tuple[int, Judgement]]:
        """(place, judgement) as they come."""
        if self.lost:
            yield from ((n, Judgement(one.id, None, FAILED, self.lost)) for n, one in enumerate(questions))
            return
        for place, found in self.judge.stream(questions):
            if found.fault == FAILED and NOT_SENT in found.reason:
                self.lost = found.reason
            yield place, found


@dataclass(frozen=True)
class Judging:
    """A judge at work on answers; its parts go into `folder`."""

    line: Line
    settings: JudgeSettings
    desk: Desk
    folder: Path = field(repr=False)

    def wants(self, cell: Cell) -> bool:
        """Whether this cell's answers are judged."""
        wanted, name = self.settings, cell.method.name
        return (
            (name in wanted.rows if wanted.rows else not name.startswith(FLOOR))
            and (task_of(cell.task).name in wanted.tasks if wanted.tasks else is_written(cell.task))
            and (not wanted.splits or cell.split in wanted.splits)
        )

    def cells(self, way: Way, split: str, tasks: Sequence[str | None]) -> list[Cell]:
        """The cells of a way on a split that are judged."""
        cells = [Cell(method, task, split, way.seed) for method in way.methods for task in tasks]
        return [cell for cell in cells if self.wants(cell)]


def judging(settings: JudgeSettings, desk: Desk, run: Path) -> Judging | None:
    """The judge of a recipe; None where it names no endpoint. Replies are kept in the run's folder by default."""
    if settings.endpoint is None:
        return None
    endpoint = replace(settings.endpoint, cache=settings.endpoint.cache or str(run / REPLIES))
    return Judging(Line(make(endpoint, settings.template)), settings, desk, run / FOLDER)


def check(settings: JudgeSettings, plan: Plan) -> None:
    """ValueError, with those that there are, for a task, a split or a row that the evaluation does not have."""
    tasks = {task_of(task).name for store in plan.splits.values() for task in store.asked}
    rows = [method.name for way in plan.ways for method in way.methods]
    there = {"tasks": sorted(tasks), "splits": list(plan.splits), "rows": list(dict.fromkeys(rows))}
    for name, valid in there.items():
        for one in getattr(settings, name):
            if one not in valid:
                raise ValueError(f"eval.judge.{name} has {one!a}; {nearest(one, valid)}")


def total(plan: Plan, work: Judging) -> int:
    """How many answers are to be judged."""
    return sum(answered(path) for cell, path in plan.parts() if work.wants(cell) and path.exists())


def run(plan: Plan, work: Judging, show: Show) -> None:
    """Judge every answer that is not judged yet, the answers of a chunk of users together."""
    for way in plan.ways:
        for split, store in plan.splits.items():
            if work.cells(way, split, list(store.asked)):
                for chunk in plan.chunks(split, way.users):
                    judge(plan, work, chunk, work.cells(way, split, list(chunk.of_task)), show)


def judge(plan: Plan, work: Judging, chunk: Chunk, cells: Sequence[Cell], show: Show) -> None:
    """The parts of these cells, each written when its last judgement is there."""
    todo, said = [], work.line.judge
    work.desk.profile.meet(list(chunk.users.values()))
    for cell in cells:
        one = sheet(cell, chunk, plan.folder, work.folder, work.desk, said.template, said.version)
        if one.done():
            show(cell.method.name, len(one.answered))
        elif one.answered:
            todo.append(one)
        else:
            one.path.unlink(missing_ok=True)  # of answers that were made anew, and all failed
    for one, judgements in filling(work.line, todo):
        show(one.cell.method.name, judgements)
        if len(one.found) == len(one.answered):
            one.write()


def filling(line: Line, sheets: Sequence[Sheet]) -> Iterator[tuple[Sheet, int]]:
    """The sheets as they fill, with the number of judgements that came; first what nobody can be asked about."""
    yield from ((one, len(one.found)) for one in sheets if one.found)
    places, questions = [], []
    for one in sheets:
        for n, asked in enumerate(one.questions):
            if isinstance(asked, Question):
                places.append((one, n))
                questions.append(asked)
    for place, found in line.stream(questions):
        one, n = places[place]
        one.found[n] = found
        yield one, 1
