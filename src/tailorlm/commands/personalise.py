"""`tailor personalize`: a PEFT folder for each user of a file, many users in one pass.

Knows nothing of training. A user who cannot be served (a text over the encoder's limit, say) is reported and does
not stop the others.
"""

import time
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Literal

from tailorlm.commands.places import new_folder, users_in
from tailorlm.commands.quiet import no_bars_of_loading
from tailorlm.commands.result import OK, WRONG_INPUT, Result, counted, tell

SHOWN = 20


def run(
    checkpoint: str, path: Path, out: Path, strength: float, task: str | None, base: str | None, device: str,
    dtype: str, batch: int, on_error: Literal["stop", "skip"], split: str | None,
) -> Result:  # fmt: skip
    """Adapters below `out`. The code is 2 where a user was refused."""
    from tailorlm.data.load import stream
    from tailorlm.data.problems import Report
    from tailorlm.tailor import Tailor

    users_in(path)
    new_folder(out)
    no_bars_of_loading()
    tailor = Tailor.from_pretrained(checkpoint, base, device, dtype)
    tailor.scope(task)
    report = Report()
    users = (user for user, _ in stream(path, on_error, report, split))
    start, saved, notes, refused = time.perf_counter(), 0, dict[str, str](), dict[str, str]()
    size = 0
    for group in groups(users, batch):
        for personal in adapted(tailor, group, task, strength, refused):
            folders = personal.save_pretrained(out)
            saved, size = saved + len(folders), sum(file.stat().st_size for file in folders[0].iterdir())
            notes.update(personal.notes)
        tell(counted(saved, "user"))
    seconds = time.perf_counter() - start
    found = {
        "out": str(out), "users": saved, "seconds": round(seconds, 3), "bytes_per_user": size, "notes": notes,
        "refused": refused, "problems": report.count,
    }  # fmt: skip
    if not saved and not refused:
        raise ValueError(f"{path}: no users")
    return Result(found, lines(found), WRONG_INPUT if refused or report.count else OK)


def groups(users: Iterator[Any], size: int) -> Iterator[list[Any]]:
    """The users, so many at a time."""
    while group := list(islice(users, size)):
        yield group


def adapted(
    tailor: Any, group: Sequence[Any], task: str | None, strength: float, refused: dict[str, str]
) -> Iterator[Any]:
    """The group's adapters in one pass, or, where somebody in it cannot be served, one by one without them."""
    from tailorlm.hypernet.config import BadCheckpoint

    try:
        yield tailor.personalize(users=group, task=task, strength=strength)
        return
    except BadCheckpoint:
        raise
    except ValueError as error:
        if len(group) == 1:
            refused[group[0].id] = str(error)
            return
    for user in group:
        yield from adapted(tailor, [user], task, strength, refused)


def lines(found: dict[str, Any]) -> list[str]:
    """What was written, and what the caller should know."""
    each = 1000 * found["seconds"] / max(1, found["users"])
    size = f"{each:.1f} ms and {found['bytes_per_user']:,} bytes a user"
    said = [f"{counted(found['users'], 'adapter')} in {found['out']}: {size}"]
    for word in ("notes", "refused"):
        some = list(found[word].items())[:SHOWN]
        more = len(found[word]) - len(some)
        said += [f"{word}: user {user}: {why}" for user, why in some] + (
            [f"... and {more} more {word}"] if more else []
        )
    return said + ([f"{counted(found['problems'], 'problem')} in the file, left out"] if found["problems"] else [])
