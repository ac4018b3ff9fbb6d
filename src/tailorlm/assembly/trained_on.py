"""Whom a source was trained on, noted beside it: a source is never used, or trained further, for a run of other people.

Without that, files that are exchanged in place would have training users evaluated as unseen ones. The note has counts
and a digest. Knows nothing of what training is. Source: issue 4 (splits: nobody trains and is asked).
"""

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from tailorlm.assembly.people import digest_of_all
from tailorlm.assembly.run_folders import CURVES
from tailorlm.assembly.runs import write_json
from tailorlm.data.records import User
from tailorlm.training.checkpoints import make_private


@dataclass(frozen=True, slots=True)
class TrainedOn:
    """Training users of a file, with their items, and those of them that are evaluated meanwhile."""

    file: str
    users: int
    items: int
    validation_users: int
    digest: str


def trained_on(file: Path | str, users: Sequence[User], held: Sequence[User]) -> TrainedOn:
    """What there is to note of these users; they are read once, one at a time."""
    items = 0

    def counted(some: Iterable[User]) -> Iterable[User]:
        nonlocal items
        for user in some:
            items += len(user.history)
            yield user

    digest = f"{digest_of_all(counted(users))}-{digest_of_all(held)}"
    return TrainedOn(str(file), len(users), items, len(held), digest)


def note(path: Path, folders: Sequence[Path], people: Callable[[], TrainedOn]) -> None:
    """Note whom training begins with, unless something of it is there: then ValueError where they are others."""
    if made(folders):
        check(path, folders, people)
        return
    make_private(path.parent)
    write_json(path, asdict(people()))


def check(path: Path, folders: Sequence[Path], people: Callable[[], TrainedOn]) -> bool:
    """Whether it is known whom what is in `folders` was trained on. ValueError where they are others than `people`.

    Nothing in the folders is nobody's. What an older version trained has no note: False.
    """
    if not made(folders):
        return True
    if not path.exists():
        return False
    saved, now = TrainedOn(**json.loads(path.read_text(encoding="utf-8"))), people()
    if (saved.users, saved.items, saved.digest) != (now.users, now.items, now.digest):
        there = " and ".join(str(folder) for folder in folders if made([folder]))
        raise ValueError(
            f"{there} was trained on other users than {now.file} gives now: {difference(saved, now)}. Who trained "
            "could be asked as if nobody knew them: choose another --out, or give the run the data that it began with"
        )
    return True


def difference(saved: TrainedOn, now: TrainedOn) -> str:
    """In what they differ, in counts."""
    said = [
        f"{old:,} {name} then, {new:,} now"
        for name, old, new in (
            ("users", saved.users, now.users), ("items", saved.items, now.items),
            ("validation users", saved.validation_users, now.validation_users),
        )
        if old != new
    ]  # fmt: skip
    if saved.file != now.file:
        said.append(f"then from {saved.file}")
    return ", ".join(said) or f"{now.users:,} users then and now, whose ids, items or given profiles differ"


def made(folders: Sequence[Path]) -> bool:
    """Whether training has left anything in the folders: a start that failed leaves curves alone."""
    files = (path for folder in folders for path in folder.rglob("*") if path.is_file())
    return any(path.name not in CURVES and "tensorboard" not in path.parts and path.stat().st_size for path in files)
