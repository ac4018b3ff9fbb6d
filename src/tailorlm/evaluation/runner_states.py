"""What training users at an evaluation leaves: where a stopped chunk goes on, and what is kept of rows that ask for it.

    enrolling/ROW/DIGEST/           the state of a chunk's training, until all that the chunk asks is answered (in the
                                    end without failures: of all that was ever begun there)
    kept/ROW/SPLIT-seed-N-00000-0.pt  users' trained parameters (methods/tuned.py), to go on when new items come
    kept/ROW/SPLIT-seed-N/USER/     users' adapters as PEFT folders
    kept/ROW/SPLIT-seed-N-00000.json  how many users that was, or why there is no such form

All of it is users' personal data: folders are their owner's only. Knows nothing of how a method trains.
Source: issue 3 (continual use; each exports or refuses with the reason).
"""

import hashlib
import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from tailorlm.assembly.people import digest_of_all
from tailorlm.assembly.runs import write_json
from tailorlm.assembly.spent import spending, spent
from tailorlm.backbone.model import Backbone
from tailorlm.data.records import User
from tailorlm.evaluation.measure import Taken
from tailorlm.evaluation.plan import Chunk, Method, Plan
from tailorlm.evaluation.rows import make_private
from tailorlm.methods.exports import export, left_out
from tailorlm.methods.source import Roster

UNFINISHED, KEPT, SECONDS = "enrolling", "kept", "seconds.json"
R = TypeVar("R")


@dataclass(frozen=True)
class Unfinished:
    """Folders below `run` in which trainings of users go on, for the row `name`; `used`: those of the chunk at work.

    `about` is all that decides the training: rows that share it, by whatever names, go on with one another's.
    """

    run: Path
    name: str
    about: Mapping[str, Any]
    used: set[Path] = field(default_factory=set)

    def going_on(
        self, users: Sequence[User], tasks: Sequence[str], work: Callable[[Path], tuple[R, Taken]]
    ) -> tuple[R, Taken]:
        """`work` in the folder of exactly these users and this method; its seconds with those before it was stopped."""
        where = self.place(users, tasks)
        self.used.add(where)
        before = spent(where / SECONDS)
        make_private(where)
        with spending(where / SECONDS):
            found, taken = work(where)
        both = spent(where / SECONDS)
        return found, taken if before is None or both is None else replace(taken, seconds=both)

    def place(self, users: Sequence[User], tasks: Sequence[str]) -> Path:
        """Named by all that decides the training: other users, items or settings have a folder of their own."""
        about = json.dumps([dict(self.about), list(tasks), digest_of_all(users)], sort_keys=True, default=str)
        name = hashlib.sha256(about.encode()).hexdigest()[:16]
        there = sorted((self.run / UNFINISHED).glob(f"*/{name}"))  # perhaps begun for a row that is gone
        return there[0] if there else self.run / UNFINISHED / self.name / name

    def answered(self) -> None:
        """The chunk is done: nothing goes on from its training's state."""
        for where in self.used:
            shutil.rmtree(where, ignore_errors=True)
        for folder in (*(where.parent for where in self.used), self.run / UNFINISHED):
            if folder.is_dir() and not any(folder.iterdir()):
                folder.rmdir()
        self.used.clear()


@dataclass(frozen=True)
class KeptStates:
    """Keeps what rosters have of users, below `run`, for the row `method`."""

    run: Path
    method: Method
    seed: int
    backbone: Backbone

    def __call__(self, chunk: Chunk, rosters: Sequence[Roster]) -> None:
        """Write a chunk's users; a chunk that is enrolled again replaces its files."""
        folder = self.run / KEPT / self.method.name
        make_private(folder)
        name = f"{chunk.split}-seed-{self.seed}"
        stem = f"{name}-{chunk.number:05d}"
        for old in folder.glob(f"{stem}-*.pt"):
            old.unlink()
        pieces = [self.piece(one, folder / f"{stem}-{n}.pt", folder / name) for n, one in enumerate(rosters)]
        write_json(folder / f"{stem}.json", {"pieces": pieces})

    def piece(self, roster: Roster, state: Path, adapters: Path) -> dict[str, Any]:
        """Users who were enrolled together: the file of their state if there is one, their adapters or the reason."""
        if roster.tuned is not None:
            roster.tuned.save(state)
        try:
            made = len(export(roster, adapters, self.backbone, {"method": self.method.adapter}))
            found: dict[str, Any] = {"adapters": made, "not_exported": left_out(roster)}
        except ValueError as error:  # of kinds and rosters: no user's text is in it
            found = {"adapters": 0, "not_exported": str(error)}
        return {"owners": len(roster.place), "state": state.name if roster.tuned is not None else None, **found}


def lines(run: Path, plan: Plan, names: Sequence[str]) -> list[str]:
    """What to say of the rows `names` that are kept: of which a chunk was answered before, and not kept then; and of
    users' training that is left for rows that failed.
    """
    missing, left = ", ".join(not_kept(run, plan, names)), run / UNFINISHED
    return [
        *([f"not kept in whole: {missing}, answered before; --overwrite enrols anew"] if missing else []),
        *([f"{left} has users' stopped training (personal data), until --resume has no failures"]
          if left.exists() else []),
    ]  # fmt: skip


def not_kept(run: Path, plan: Plan, names: Sequence[str]) -> list[str]:
    """Those of the rows `names` that have a chunk which an earlier evaluation answered and did not keep."""
    found = []
    for way in plan.ways:
        wanted = {method.name for method in way.methods} & set(names)
        chunks = plan.every_number(way.users)
        for name in wanted:
            files = [run / KEPT / name / f"{split}-seed-{way.seed}-{number:05d}.json" for split, number in chunks]
            if not all(file.exists() for file in files):
                found.append(name)
    return sorted(set(found))


def answered(run: Path) -> None:
    """All that the plan asks is answered: what is left of stopped trainings is of rows, users or settings gone."""
    shutil.rmtree(run / UNFINISHED, ignore_errors=True)


def clear(run: Path) -> None:
    """Delete what an earlier evaluation in this folder left."""
    for name in (UNFINISHED, KEPT):
        shutil.rmtree(run / name, ignore_errors=True)
