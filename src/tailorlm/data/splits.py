"""Splits: named, disjoint groups of users, saved as JSON with ids only; a run keeps the one it began with.

Knows nothing of vectors, texts, or how users are chosen (`splits_benchmark.py`, `splits_few_shot.py`).
Source: P2P section 4 and appendix H; PRISP appendix A.2.
"""

import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeGuard

FORMAT = "tailorlm-split-1"


@dataclass(frozen=True, slots=True)
class Split:
    """`parts`: the users' ids of each part, sorted; no user is in two. `made`: settings and what they found.

    ValueError where a user is in two parts or twice in one.
    """

    kind: str
    parts: Mapping[str, tuple[str, ...]]
    made: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        owner: dict[str, str] = {}
        for name, ids in self.parts.items():
            for user in ids:
                if user in owner:
                    raise ValueError(f"user {user!a} is in {owner[user]} and in {name}: expected one part each")
                owner[user] = name
        # What JSON gives back, so that a split equals itself once it is read again.
        object.__setattr__(self, "parts", {name: tuple(sorted(ids)) for name, ids in self.parts.items()})
        object.__setattr__(self, "made", json.loads(json.dumps(dict(self.made))))

    def part(self, name: str) -> tuple[str, ...]:
        """The users of a part. ValueError with the names there are for another."""
        if name not in self.parts:
            close = get_close_matches(name, self.parts, n=1, cutoff=0.5)
            meant = f"did you mean {close[0]}? " if close else ""
            raise ValueError(f"no part {name!a} in this {self.kind} split; {meant}there are: {', '.join(self.parts)}")
        return self.parts[name]


def joined(each: Mapping[str, Split]) -> Split:
    """Splits of different users (of one task each) as one of the same kind: every part has everybody's.

    `made` is by the names given. ValueError where there are none, the kinds differ, or a user is in two.
    """
    kinds = {split.kind for split in each.values()}
    if len(kinds) != 1:
        raise ValueError(f"splits to join are of the kinds {sorted(kinds)}: expected one kind")
    parts = dict.fromkeys(part for split in each.values() for part in split.parts)
    ids = {part: tuple(id for split in each.values() for id in split.parts.get(part, ())) for part in parts}
    return Split(kinds.pop(), ids, {name: dict(split.made) for name, split in each.items()})


def save(split: Split, path: str | Path) -> None:
    """Write the split, whole or not at all, mode 0600: ids may name people."""
    target = Path(path)
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump({"format": FORMAT, **asdict(split)}, file, indent=1)
        os.replace(name, target)
    except BaseException:
        os.unlink(name)
        raise


def load(path: str | Path) -> Split:
    """The split that a file holds. ValueError with the file and what is wrong with it."""
    try:
        raw = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ValueError(f"split {path}: cannot be read ({type(error).__name__})") from None
    if not isinstance(raw, dict) or raw.get("format") != FORMAT:
        raise ValueError(f"split {path}: expected a file of the format {FORMAT}")
    kind, parts, made = raw.get("kind"), raw.get("parts"), raw.get("made")
    if not isinstance(kind, str) or not isinstance(made, dict) or not _is_parts(parts):
        raise ValueError(f'split {path}: expected a text "kind", an object "made" and "parts" of lists of ids')
    try:
        return Split(kind, parts, made)
    except ValueError as error:
        raise ValueError(f"split {path}: {error}") from None


def keep(split: Split, path: str | Path) -> Split:
    """Save the split where there is none yet; where there is one it must be the same.

    ValueError that says in what they differ: a run that goes on with other test users would mix two results.
    """
    if not Path(path).exists():
        save(split, path)
        return split
    kept = load(path)
    if kept != split:
        raise ValueError(f"{path} holds another split than this run's: {_differences(kept, split)}; start a new run")
    return kept


def _is_parts(parts: Any) -> TypeGuard[dict[str, tuple[str, ...]]]:
    return isinstance(parts, dict) and all(
        isinstance(ids, list) and all(isinstance(user, str) for user in ids) for ids in parts.values()
    )


def _differences(kept: Split, now: Split) -> str:
    """Settings with both values, parts with numbers of users: no ids."""
    said = [f"kind {kept.kind} there, {now.kind} here"] if kept.kind != now.kind else []
    for name in sorted(kept.made.keys() | now.made.keys()):
        if kept.made.get(name) != now.made.get(name):
            said.append(f"{name} {kept.made.get(name)} there, {now.made.get(name)} here")
    for name in sorted(kept.parts.keys() | now.parts.keys()):
        others = set(kept.parts.get(name, ())) ^ set(now.parts.get(name, ()))
        if others or (name in kept.parts) != (name in now.parts):
            said.append(f"{name}: {len(others)} users are in one only")
    return ", ".join(said)
