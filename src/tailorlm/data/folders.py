"""Which files of a folder belong together: splits, the shards of one, a questions file and its outputs.

Knows names alone, nothing of what is in the files.

Decisions
- A folder's splits: `{split}.jsonl`, `{split}.tsv`, `{split}.parquet`, `{split}_questions.json`, for the usual names of
  splits `{split}.json`, and the shards `{split}-00000-of-00004.parquet`, of which none may be missing. The hub's
  converted copies (`0000.parquet`, ...) are the shards of a split with the folder's name.
- Two files of one split that are not its shards are refused: nobody can say which is meant.
"""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from .problems import DataError, Problem

SPLIT = re.compile(
    r"(?P<split>[A-Za-z0-9-]+)(_questions\.json|\.jsonl|\.tsv)(\.gz)?"
    r"|(?P<usual>train|dev|val|validation|test)\.json(\.gz)?"
    r"|(?P<sharded>[A-Za-z0-9-]+?)(-(?P<shard>\d{5})-of-(?P<shards>\d{5}))?\.parquet"
)
CONVERTED = re.compile(r"(\d{4})\.parquet")


def splits(path: str | Path) -> dict[str, tuple[Path, ...]]:
    """The data files of a folder by the name of their split, the shards of one in order; for a file, the file under
    its own name. DataError for a folder without any, and as the decisions above say.
    """
    path = Path(path)
    if not path.is_dir():
        return {path.name: (path,)}
    found: dict[str, list[Path]] = {}
    for child in sorted(path.iterdir()):
        match = SPLIT.fullmatch(child.name)
        if match:
            own = match["split"] or match["usual"] or match["sharded"]
            found.setdefault(path.name if CONVERTED.fullmatch(child.name) else own, []).append(child)
    if not found:
        raise _refused(path, "a folder without .jsonl, .tsv, .parquet or _questions.json files")
    for name, files in found.items():
        _check(path, name, [file.name for file in files])
    return {name: tuple(files) for name, files in found.items()}


def _check(path: Path, name: str, files: Sequence[str]) -> None:
    """DataError for two files of a split that are not its shards, and for shards that are missing."""
    converted = [match[1] for file in files if (match := CONVERTED.fullmatch(file))]
    if len(converted) == len(files):
        return _check_all(path, name, converted, (f"{n:04}" for n in range(int(converted[-1]) + 1)))
    parts = [match for file in files if (match := SPLIT.fullmatch(file))]
    counts = {match["shards"] for match in parts}
    if counts == {None} and len(files) == 1:
        return None
    if None in counts or len(counts) > 1:
        raise _refused(path, f"two files of split {name!a}: {files[0]} and {files[1]}")
    return _check_all(path, name, [match["shard"] for match in parts], (f"{n:05}" for n in range(int(counts.pop()))))


def _check_all(path: Path, name: str, there: Sequence[str], expected: Iterable[str]) -> None:
    missing = sorted(set(expected).symmetric_difference(there))
    if missing:
        raise _refused(path, f"shards of split {name!a} are missing, or too many: {', '.join(missing[:5])}")


def _refused(path: Path, reason: str) -> DataError:
    return DataError(Problem(str(path), 0, "", reason))


def chosen(path: Path, split: str | None) -> tuple[Path, ...]:
    """The files of a split of a folder, of its only one by default; a file itself. DataError where there is none."""
    if not path.exists():
        raise _refused(path, "no such file or folder")
    if split is None and not path.is_dir():
        return (path,)
    found = splits(path)
    if split is None and len(found) == 1:
        return next(iter(found.values()))
    if split is None:
        raise _refused(path, f"several splits, name one with --split: {', '.join(found)}")
    if split not in found:
        raise _refused(path, f"no split {split!a}; there are: {', '.join(found)}")
    return found[split]


def outputs_of(questions: Path) -> Path | None:
    """The outputs file beside a questions file, or None."""
    stem = questions.name.removesuffix(".gz").removesuffix(".json")
    if not stem.endswith("questions"):
        return None
    names = (stem.removesuffix("questions") + "outputs.json" + end for end in ("", ".gz"))
    return next((path for name in names if (path := questions.with_name(name)).exists()), None)
