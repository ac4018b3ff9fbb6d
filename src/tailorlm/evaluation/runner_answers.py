"""`answers.jsonl`: a line a query, with every method's output beside what was asked and what is known of the user.

Chunk by chunk, as the rows were made. Holds users' text: mode 0600. Knows nothing of pages.
"""

import json
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tailorlm.assembly.datasets import task_of
from tailorlm.data.records import User
from tailorlm.evaluation.plan import Cell, Chunk, Plan
from tailorlm.evaluation.rows import read_part

Statements = Callable[[User, str | None], list[str]]
"""(user, task) -> the profile, a text a statement."""


def write_answers(path: Path, plan: Plan, statements: Statements) -> None:
    """Write the file, whole or not at all. Of several seeds the first one's outputs stand in it."""
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as out:
            for split in plan.splits:
                for chunk in plan.chunks(split, 0):
                    out.writelines(
                        json.dumps(line, ensure_ascii=False) + "\n" for line in lines(plan, chunk, statements)
                    )
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def lines(plan: Plan, chunk: Chunk, statements: Statements) -> Iterator[dict[str, Any]]:
    """The lines of a chunk's queries, in their order."""
    said = outputs(plan, chunk)
    for query in chunk.queries:
        yield {
            "split": chunk.split, "user_id": query.user_id, "task": task_of(query.task).name, "input": query.input,
            "target": query.target, "profile": statements(chunk.users[query.user_id], query.task),
            "outputs": said.get((query.user_id, query.id), {}),
        }  # fmt: skip


def outputs(plan: Plan, chunk: Chunk) -> dict[tuple[str, str], dict[str, str]]:
    """By user and example what each method answered."""
    said: dict[tuple[str, str], dict[str, str]] = {}
    for way in plan.ways:
        for method in way.methods:
            for task in chunk.of_task:
                path = Cell(method, task, chunk.split, way.seed).part(plan.folder, chunk.number)
                for row in read_part(path) if path.exists() else ():
                    if row.output is not None:
                        said.setdefault((row.user_id, row.example_id), {}).setdefault(method.name, row.output)
    return said
