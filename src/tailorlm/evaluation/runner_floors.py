"""Answers without a model: the trivial ones that personalisation must beat, as rows like any other.

Knows nothing of models. Source: issue 2 section 3 (rows); evaluation/floors.py has the answers themselves.
"""

import hashlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial

from tailorlm.data.records import Example, User
from tailorlm.evaluation.floors import Common, floor_copy, floor_majority, floor_user, is_written
from tailorlm.evaluation.plan import Cell, Chunk, Method
from tailorlm.evaluation.rows import Row
from tailorlm.evaluation.runner_desk import Desk, Found
from tailorlm.evaluation.runner_divided import divided
from tailorlm.evaluation.runner_sources import rows_of

Say = Callable[[Sequence[Example], Mapping[str, User]], list[str]]


class Floors:
    """The trivial answers, by name; the copy only where a task's answers are free text."""

    def __init__(self, desk: Desk, common: Common, tasks: Sequence[str | None], seed: int) -> None:
        """`common`: what training users' items say (floors.py)."""
        self.desk, self.seed, self.users = desk, seed, 0
        self.said: dict[str, Say] = {
            "floor_majority": lambda queries, users: floor_majority(queries, common),
            "floor_user": lambda queries, users: floor_user(queries, users, common),
        }
        if any(is_written(task) for task in tasks):
            self.said["floor_copy"] = lambda queries, users: floor_copy(queries)
        # A digest: what training users say is theirs, and `about` may stand in an error.
        seen = hashlib.sha256(repr(sorted(common.items(), key=str)).encode()).hexdigest()[:16]
        self.methods: Sequence[Method] = [
            Method(name, "", "", {"floor": name, "digest_of_training": seen}) for name in self.said
        ]

    def rows(self, chunk: Chunk, cells: Sequence[Cell]) -> Iterator[tuple[Cell, list[Row]]]:
        """Each cell's rows, in the order of the chunk's queries."""
        for cell in cells:
            rows: list[Row] = []
            for tried in divided(chunk.of_task[cell.task], partial(self.answers, cell.method.name, chunk.users)):
                found = tried.found or self.desk.failed(tried.error, len(tried.items))
                rows += rows_of(chunk, cell, tried.items, self.desk.scored(tried.items, found))
            yield cell, rows

    def answers(self, name: str, users: Mapping[str, User], queries: Sequence[Example]) -> list[Found]:
        """Outputs of queries (N)."""
        start = time.perf_counter()
        outputs = self.said[name](queries, users)
        share = (time.perf_counter() - start) / len(queries)
        return [{"output": output, "seconds": share, "enrol_seconds": 0.0} for output in outputs]
