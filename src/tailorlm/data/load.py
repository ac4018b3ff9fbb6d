"""The front door: a path -> its users and queries, whichever layout it is.

Knows the readers and how to tell their files apart; nothing of what the records are used for.

Decisions
- A file: `.tsv` is the empathic reactions; `.parquet` is LongLaMP; `.json` is LongLaMP where its first row has the
  columns, else LaMP's questions, with the outputs file of the same split beside it; `.jsonl` is told by the first line
  that has all the keys of one layout (ours, LongLaMP, Personal Reddit). All but parquet may end in `.gz`.
- A folder: as `folders.py` says. One with several splits is refused with their names, unless one is named: train and
  dev users never become one dataset unasked.
- A shard that is named itself is read alone.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

from . import parquet
from .empathic import read_empathic
from .folders import chosen, outputs_of
from .jsonl import read_users
from .lamp import read_lamp, stream_lamp
from .lines import objects
from .longlamp import COLUMNS, read_longlamp, rows, stream_longlamp
from .longlamp import told as told_longlamp
from .problems import DataError, Faults, OnError, Problem, Report
from .records import Dataset, Example, User
from .reddit import KEYS as REDDIT_KEYS
from .reddit import TASK as REDDIT
from .reddit import read_reddit

Pairs = Iterator[tuple[User, tuple[Example, ...]]]


def load(
    path: str | Path, on_error: OnError = "stop", report: Report | None = None, split: str | None = None
) -> Dataset:
    """The whole of a file, or of a folder's split, in memory. Raises DataError as `problems.py` says."""
    files = chosen(Path(path), split)
    task = _told(files)
    if task is not None and task in COLUMNS:
        return read_longlamp(files, task, on_error, report)
    match _layout(files[0]), task:
        case "lines", None:
            pairs = list(read_users(files[0], on_error, report))
            return Dataset({user.id: user for user, _ in pairs}, tuple(query for _, asked in pairs for query in asked))
        case "lines", _:
            return read_reddit(files[0], on_error, report)
        case "table", _:
            return read_empathic(files[0], on_error, report)
    return read_lamp(files[0], outputs_of(files[0]), None, on_error, report)


def stream(
    path: str | Path, on_error: OnError = "stop", report: Report | None = None, split: str | None = None
) -> Pairs:
    """Users with their queries, one user in memory at a time; Personal Reddit and the empathic rows, which are small,
    loaded whole first.
    """
    files = chosen(Path(path), split)
    task = _told(files)
    if task is not None and task in COLUMNS:
        return stream_longlamp(files, task, on_error, report)
    match _layout(files[0]), task:
        case "lines", None:
            return read_users(files[0], on_error, report)
        case "array", _:
            return stream_lamp(files[0], outputs_of(files[0]), None, on_error, report)
    return by_user(load(path, on_error, report, split))


def by_user(dataset: Dataset) -> Iterator[tuple[User, tuple[Example, ...]]]:
    """A dataset's users in their order, each with the queries asked of them."""
    asked: dict[str, list[Example]] = {id: [] for id in dataset.users}
    for query in dataset.examples:
        asked[query.user_id].append(query)
    return ((user, tuple(asked[user.id])) for user in dataset.users.values())


_LAYOUTS = {".jsonl": "lines", ".json": "array", ".tsv": "table", ".parquet": "parquet"}


def _layout(file: Path) -> str:
    """How a file is laid out, by its name. DataError where no reader knows the name."""
    found = _LAYOUTS.get(Path(file.name.removesuffix(".gz")).suffix)
    if found is None or (found == "parquet" and file.suffix == ".gz"):
        reason = "not a .jsonl, .json, .tsv (or one of them with .gz) or .parquet file"
        raise DataError(Problem(str(file), 0, "", reason))
    return found


def _told(files: Sequence[Path]) -> str | None:
    """The task of files that say it: a LongLaMP task or Personal Reddit; None for all others."""
    layout = _layout(files[0])
    if layout == "parquet":
        task = told_longlamp(parquet.names(files[0]))
        if task is None:
            raise DataError(Problem(str(files[0]), 0, "", "not the columns of any LongLaMP task"))
        return task
    if layout == "table":
        return None
    return _told_by_rows(files, layout)


def _told_by_rows(files: Sequence[Path], layout: str) -> str | None:
    """By the first telling row; a JSON array of anything but LongLaMP's rows is LaMP's."""
    found = objects(files[0], Faults("skip")) if layout == "lines" else rows(files, Faults("skip"))
    for _, row in found:
        if layout == "lines" and row.keys() >= REDDIT_KEYS:
            return REDDIT
        if row.keys() >= {"user_id", "history"} or row.keys() >= {"user_id", "input", "output"}:
            return None
        task = told_longlamp(row.keys())
        if task is not None:
            return task
        if layout == "array" and row.keys() >= {"id", "input", "profile"}:
            return None
    return None
