"""A part's answers as the judge gets them, and its judgements as rows of Parquet.

Who asks, and when, is runner_judge.py's. A judgement that is none has the reason, and is never a score. Parts hold no
texts. Source: issue 4 (LLM judge); P2P table 3.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tailorlm.assembly.datasets import task_of
from tailorlm.assembly.judging import Template
from tailorlm.data.records import Example
from tailorlm.evaluation.judge import FAILED, Judgement, Question, filled
from tailorlm.evaluation.plan import Cell, Chunk
from tailorlm.evaluation.rows import read_about, read_as, read_part, write_part
from tailorlm.evaluation.runner_desk import Desk


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """The judgement of an answer: `score` 1 to 5, or None with the `fault` (unparsable, failed) and its `reason`."""

    example_id: str
    user_id: str
    task: str
    method: str
    split: str
    seed: int
    score: int | None
    fault: str
    reason: str


@dataclass
class Sheet:
    """A cell's answers of a chunk: what the judge is asked about each, or why it cannot be; `found` fills up.

    `about`: by which judge, and in which words; what a part that is there already is compared with.
    """

    cell: Cell
    path: Path
    answered: Sequence[Example]
    questions: Sequence[Question | Judgement]
    about: dict[str, Any]
    found: dict[int, Judgement]

    def done(self) -> bool:
        """Whether this very sheet was judged before, with nothing that failed to be asked."""
        if not self.path.exists() or read_about(self.path) != self.about:
            return False
        return all(row.fault != FAILED for row in read_as(Judged, self.path))

    def write(self) -> None:
        """Write the part, once every judgement is there."""
        write_part(self.path, [self.row(n) for n in range(len(self.answered))], self.about, Judged)

    def row(self, n: int) -> Judged:
        """The judgement of one answer."""
        query, cell, found = self.answered[n], self.cell, self.found[n]
        return Judged(
            example_id=query.id, user_id=query.user_id, task=task_of(cell.task).name, method=cell.method.name,
            split=cell.split, seed=cell.seed, score=found.score, fault=found.fault, reason=found.reason,
        )  # fmt: skip


def sheet(cell: Cell, chunk: Chunk, rows: Path, judged: Path, desk: Desk, template: Template, version: str) -> Sheet:
    """A cell's sheet, from the rows below `rows`, to be written below `judged`; rows without an answer are left out."""
    path = cell.part(rows, chunk.number)
    kept = [row for row in read_part(path) if row.failure is None] if path.exists() else []
    said = {(row.user_id, row.example_id): row.output or "" for row in kept}
    answered = [query for query in chunk.of_task[cell.task] if (query.user_id, query.id) in said]
    asked = [question(desk, template, chunk, query, said[query.user_id, query.id]) for query in answered]
    about = {"judge": version, "digest_of_questions": digest(template, asked)}
    known = {n: one for n, one in enumerate(asked) if isinstance(one, Judgement)}
    return Sheet(cell, cell.part(judged, chunk.number), answered, asked, about, known)


def question(desk: Desk, template: Template, chunk: Chunk, query: Example, output: str) -> Question | Judgement:
    """What the judge is asked about an answer, or why it cannot be: a profile that nobody could make."""
    asked = desk.bench.task_of(query.task).prompt(query.input)
    try:
        told = desk.told(chunk.users[query.user_id], query) if "{profile}" in template.prompt else ""
    except ValueError as error:
        return Judgement(query.id, None, FAILED, desk.reason(error))
    words = asked.head + asked.body + asked.tail
    return Question(query.id, words, output, query.target or "", told, query.user_id)


def digest(template: Template, questions: Sequence[Question | Judgement]) -> str:
    """A digest of every word that the judge is asked."""
    words = [filled(template, one) if isinstance(one, Question) else None for one in questions]
    return hashlib.sha256(json.dumps(words).encode()).hexdigest()[:32]
