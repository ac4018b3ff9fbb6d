"""The front door: a path -> its users and queries, whichever layout it is.

Knows the readers and how to tell their files apart; nothing of what the records are used for.

Decisions
- A file: `.tsv` is the empathic reactions; `.json` is LaMP's questions, with the outputs file of the same
  split beside it; `.jsonl` is told by the first line that has all the keys of one layout (ours, LongLaMP,
  Personal Reddit). Each may end in `.gz`.
- A folder: its files `{split}.jsonl`, `{split}.tsv` or `{split}_questions.json`. A folder with several splits
  is refused with their names, unless one is named: train and dev users never become one dataset unasked.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from .empathic import read_empathic
from .jsonl import read_users
from .lamp import read_lamp
from .lines import objects
from .longlamp import read_longlamp
from .longlamp import told as told_longlamp
from .problems import DataError, Faults, OnError, Problem, Report
from .records import Dataset, Example, User
from .reddit import KEYS as REDDIT_KEYS
from .reddit import TASK as REDDIT
from .reddit import read_reddit

_SPLIT = re.compile(r"(?P<split>[A-Za-z0-9-]+)(_questions\.json|\.jsonl|\.tsv)(\.gz)?")


def splits(path: str | Path) -> dict[str, Path]:
    """The data files of a folder by the name of their split; for a file, the file under its own name."""
    path = Path(path)
    if not path.is_dir():
        return {path.name: path}
    found: dict[str, Path] = {}
    for child in sorted(path.iterdir()):
        match = _SPLIT.fullmatch(child.name)
        if match and match["split"] in found:
            both = f"{found[match['split']].name} and {child.name}"
            raise DataError(Problem(str(path), 0, "", f"two files of split {match['split']!a}: {both}"))
        if match:
            found[match["split"]] = child
    if not found:
        raise DataError(Problem(str(path), 0, "", "a folder without .jsonl, .tsv or _questions.json files"))
    return found


def load(
    path: str | Path, on_error: OnError = "stop", report: Report | None = None, split: str | None = None
) -> Dataset:
    """The whole of a file, or of a folder's split, in memory. Raises DataError as `problems.py` says."""
    file = _chosen(Path(path), split)
    if _suffix(file) == ".jsonl" and _told(file) is None:
        pairs = list(read_users(file, on_error, report))
        return Dataset(
            {user.id: user for user, _ in pairs}, tuple(query for _, asked in pairs for query in asked)
        )
    return _read_foreign(file, on_error, report)


def stream(
    path: str | Path, on_error: OnError = "stop", report: Report | None = None, split: str | None = None
) -> Iterator[tuple[User, tuple[Example, ...]]]:
    """Users with their queries; our own JSONL one user in memory at a time, the other layouts loaded whole
    first.
    """
    file = _chosen(Path(path), split)
    if _suffix(file) == ".jsonl" and _told(file) is None:
        return read_users(file, on_error, report)
    return by_user(_read_foreign(file, on_error, report))


def by_user(dataset: Dataset) -> Iterator[tuple[User, tuple[Example, ...]]]:
    """A dataset's users in their order, each with the queries asked of them."""
    asked: dict[str, list[Example]] = {id: [] for id in dataset.users}
    for query in dataset.examples:
        asked[query.user_id].append(query)
    return ((user, tuple(asked[user.id])) for user in dataset.users.values())


def outputs_of(questions: Path) -> Path | None:
    """The outputs file beside a questions file, or None."""
    stem = questions.name.removesuffix(".gz").removesuffix(".json")
    if not stem.endswith("questions"):
        return None
    names = (stem.removesuffix("questions") + "outputs.json" + end for end in ("", ".gz"))
    return next((path for name in names if (path := questions.with_name(name)).exists()), None)


def _chosen(path: Path, split: str | None) -> Path:
    if split is None and not path.is_dir():
        return path
    found = splits(path)
    if split is None and len(found) == 1:
        return next(iter(found.values()))
    if split is None:
        raise DataError(Problem(str(path), 0, "", f"several splits, name one with --split: {', '.join(found)}"))
    if split not in found:
        raise DataError(Problem(str(path), 0, "", f"no split {split!a}; there are: {', '.join(found)}"))
    return found[split]


def _suffix(path: Path) -> str:
    return Path(path.name.removesuffix(".gz")).suffix


def _read_foreign(path: Path, on_error: OnError, report: Report | None) -> Dataset:
    suffix = _suffix(path)
    if suffix == ".tsv":
        return read_empathic(path, on_error, report)
    if suffix == ".json":
        return read_lamp(path, outputs_of(path), None, on_error, report)
    if suffix != ".jsonl":
        raise DataError(
            Problem(str(path), 0, "", "not a .jsonl, .json or .tsv file (or one of them with .gz)")
        )
    task = _told(path)
    return (
        read_reddit(path, on_error, report)
        if task == REDDIT
        else read_longlamp(path, str(task), on_error, report)
    )


def _told(path: Path) -> str | None:
    """The task of a JSONL file that is not ours, by its first telling line; None for ours and for none."""
    for _, line in objects(path, Faults("skip")):
        if line.keys() >= REDDIT_KEYS:
            return REDDIT
        if line.keys() >= {"user_id", "history"} or line.keys() >= {"user_id", "input", "output"}:
            return None
        task = told_longlamp(line)
        if task is not None:
            return task
    return None
