"""The answers that a run kept (`answers.jsonl`), and the few users whose answers are shown.

Knows nothing of pages. Users are drawn by lot (a digest of the id), never by result. Streams the file twice,
and keeps ids only the first time. Source: issue 2 section 3 (a row an example, with all methods' outputs).
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Row:
    """One example with what each method answered to it."""

    split: str
    user_id: str
    task: str  # "" where the data names none
    input: str
    target: str
    profile: tuple[str, ...]
    outputs: Mapping[str, str]


def read_rows(path: Path) -> Iterator[Row]:
    """The rows of a file, streamed. Raises ValueError with file, line and field, never with the text."""
    with path.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            if line.strip():
                yield parse_row(line, f"{path}:{number}")


def parse_row(line: str, where: str) -> Row:
    """The row that a line holds."""
    try:
        raw = json.loads(line)
    except ValueError:
        raise ValueError(f"{where}: no readable JSON") from None
    if not isinstance(raw, Mapping):
        raise ValueError(f"{where}: expected an object, found {type(raw).__name__}")
    texts = {name: text_field(raw, name, where) for name in ("split", "user_id", "input", "target")}
    task = "" if raw.get("task", "") is None else text_field(raw, "task", where)
    profile, outputs = raw.get("profile", []), raw.get("outputs")
    if not isinstance(profile, list) or not all(isinstance(line, str) for line in profile):
        raise ValueError(f'{where}: field "profile": expected a list of strings')
    if not isinstance(outputs, Mapping) or not all(isinstance(text, str) for text in outputs.values()):
        raise ValueError(f'{where}: field "outputs": expected {{method: text}}')
    return Row(**texts, task=task, profile=tuple(profile), outputs=outputs)


def text_field(raw: Mapping[str, Any], name: str, where: str) -> str:
    """A field that must be a string."""
    if not isinstance(raw.get(name), str):
        raise ValueError(f'{where}: field "{name}": expected a string, found {type(raw.get(name)).__name__}')
    return str(raw[name])


def shown_users(path: Path, wanted: Mapping[str, int]) -> list[tuple[str, list[Row]]]:
    """For each split as many users as `wanted`, each with the first row of every task: [(split, rows)].

    Among the users whom most methods answered the lot decides, so that the choice is the same every time.
    """
    drawn = lots(path)
    picked = [
        user
        for split, count in wanted.items()
        for user in sorted((user for user in drawn if user[0] == split), key=drawn.__getitem__)[:count]
    ]
    rows: dict[tuple[str, str], dict[str, Row]] = {user: {} for user in picked}
    for row in read_rows(path):
        if (row.split, row.user_id) in rows:
            rows[row.split, row.user_id].setdefault(row.task, row)
    return [(split, list(rows[split, user].values())) for split, user in picked]


def lots(path: Path) -> dict[tuple[str, str], tuple[int, str]]:
    """Per (split, user) the number of methods, most first, and the user's lot."""
    found: dict[tuple[str, str], tuple[int, str]] = {}
    for row in read_rows(path):
        place = (row.split, row.user_id)
        lot = hashlib.sha256(row.user_id.encode("utf-8", "replace")).hexdigest()
        found[place] = min(found.get(place, (0, lot)), (-len(row.outputs), lot))
    return found
