"""The runner: every method on every task, split and seed; each part is written when it is done, and skipped later.

What fails is a row that says why, and the rest goes on. Knows nothing of how answers are made (runner_sources.py,
runner_floors.py) or summed up (runner_results.py). Source: issue 4 (runner).
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tailorlm.assembly.people import digest_of_all
from tailorlm.assembly.runs import changed, write_json
from tailorlm.evaluation.plan import Cell, Chunk, Plan, Way
from tailorlm.evaluation.rows import STATE, Row, digest, failures, make_private, read_about, write_part

PARTS = "part-*.parquet"
BASE = "base_fingerprint"
WHY = {
    "rows.digest_of_people": " (the users' items or given profiles are others)",
    f"rows.{BASE}": " (the base model has other weights)",
}
"""What it means that a part was made with another one."""
Reason = Callable[[BaseException], str]
"""An exception in one line, without users' text."""
Show = Callable[[str, int], None]
"""(a method's name, rows done now)."""


class OtherRows(ValueError):
    """The folder holds rows of another evaluation."""


def check_free(folder: Path) -> None:
    """OtherRows where the folder has rows of an evaluation, which nobody said are to be kept or deleted."""
    state = folder / STATE
    if not state.exists() or not any(folder.rglob(PARTS)):
        return
    if json.loads(state.read_text(encoding="utf-8"))["finished"]:
        raise OtherRows(
            f"{folder} has the rows of an evaluation: --resume keeps them and makes what is missing, --overwrite "
            "deletes them and begins anew; or choose another --out"
        )
    raise OtherRows(
        f"{folder} has an evaluation that was stopped: --resume goes on with it, --overwrite deletes it and begins anew"
    )


def begin(folder: Path) -> None:
    """Make the folder of rows ready, with what is done there."""
    make_private(folder)
    write_json(folder / STATE, {"finished": False})


def clear(folder: Path) -> None:
    """Delete an evaluation's parts, and the folders that are empty then."""
    for part in folder.rglob(PARTS):
        part.unlink()
    for inner in sorted((path for path in folder.rglob("*") if path.is_dir()), reverse=True):
        if not any(inner.iterdir()):
            inner.rmdir()


def run(plan: Plan, reason: Reason, show: Show) -> None:
    """Make every part that is not there yet. OtherRows for a part that something else made."""
    check(plan)
    known: dict[tuple[str, int, int], str] = {}  # ways have the same chunks: people are looked at once
    for way in plan.ways:
        for split in plan.splits:
            for chunk in plan.chunks(split, way.users):
                place = split, chunk.number, len(chunk.users)
                if place not in known:
                    known[place] = digest_of_all(chunk.users.values())
                part(plan, way, chunk, known[place], reason, show)


def finish(plan: Plan) -> None:
    """Note that all that tells of these parts is written; until then what tells of them is an earlier evaluation's."""
    made = sorted(path.relative_to(plan.folder).as_posix() for _, path in plan.parts() if path.exists())
    write_json(plan.folder / STATE, {"finished": True, "parts": made})


def check(plan: Plan) -> None:
    """OtherRows where a method of the same name has rows of other settings or another base: said before any work."""
    for cell, path in plan.parts():
        if path.exists():
            said = read_about(path)
            saved = {"method": said["method"], BASE: said.get(BASE)}
            compare(path, saved, {"method": dict(cell.method.about), BASE: plan.base})


def part(plan: Plan, way: Way, chunk: Chunk, people: str, reason: Reason, show: Show) -> None:
    """A chunk's parts of one way's methods; `people` is a digest of the chunk's users."""
    made = {task: digest(asked, {id: len(user.history) for id, user in chunk.users.items()})
            for task, asked in chunk.of_task.items()}  # fmt: skip
    cells = [Cell(method, task, chunk.split, way.seed) for method in way.methods for task in chunk.of_task]
    known = {"digest_of_people": people, **({BASE: plan.base} if plan.base else {})}
    todo = []
    for cell in cells:
        if done(cell.part(plan.folder, chunk.number), about(cell, chunk, made[cell.task], known)):
            show(cell.method.name, len(chunk.of_task[cell.task]))
        else:
            todo.append(cell)
    if todo:
        for cell, rows in answered(way, chunk, todo, reason):
            write_part(cell.part(plan.folder, chunk.number), rows, about(cell, chunk, made[cell.task], known))
            show(cell.method.name, len(rows))


def answered(way: Way, chunk: Chunk, cells: Sequence[Cell], reason: Reason) -> Iterator[tuple[Cell, list[Row]]]:
    """Every cell's rows; those that the way could not give say why."""
    left = list(cells)
    try:
        for cell, rows in way.rows(chunk, cells):
            left.remove(cell)
            yield cell, rows
    except Exception as error:
        for cell in left:
            queries = chunk.of_task[cell.task]
            yield cell, [cell.row(query, chunk.users[query.user_id], failure=reason(error)) for query in queries]


def about(cell: Cell, chunk: Chunk, asked: str, known: Mapping[str, str]) -> dict[str, Any]:
    """What made a part: its cell, its method, its chunk of users, what they are asked; `known`: who, of which base."""
    named = {"task": cell.task or "", "split": cell.split, "seed": cell.seed}
    return {
        **named,
        "users": len(chunk.users),
        "chunk": chunk.number,
        "digest_of_data": asked,
        **known,
        "method": dict(cell.method.about),
    }


def done(path: Path, wanted: dict[str, Any]) -> bool:
    """Whether a part is there, in whole and without failures. OtherRows where it was made by something else."""
    if not path.exists():
        return False
    compare(path, read_about(path), wanted)
    return not failures(path)


def compare(path: Path, saved: dict[str, Any], wanted: dict[str, Any]) -> None:
    """OtherRows, with the first difference, unless both say the same; a base that either does not know is any."""
    if "digest_of_people" in wanted and "digest_of_people" not in saved:
        raise OtherRows(
            f"{path} was made by a version that did not note whose items and profiles its answers are of: --overwrite "
            "makes all rows anew, or choose another --out"
        )
    if not (saved.get(BASE) and wanted.get(BASE)):
        saved, wanted = ({name: value for name, value in one.items() if name != BASE} for one in (saved, wanted))
    different = changed(saved, json.loads(json.dumps(wanted)), "rows.")
    if different:
        whose = WHY.get(different[0].partition(":")[0], "")
        raise OtherRows(
            f"{path} is of another evaluation: {different[0]}{whose}; delete its folder, or choose another --out"
        )
