"""A row an example, in Parquet: what every method answered to it, how well, and what it took.

A part holds the rows of one cell (a method, a task, a split, a seed) and one chunk of users, is written whole or not
at all, and says in its metadata what it was made by. Parts hold users' text: mode 0600 in folders of 0700. Knows
nothing of models. Source: issue 4 (runner).
"""

import hashlib
import json
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, TypeVar, get_args

import pyarrow as pa
import pyarrow.parquet as pq

from tailorlm.data.records import Example

ABOUT = b"tailorlm"
STATE = ".plan.json"
"""Beside the parts: whether they are finished, and which of them are the last evaluation's. Hidden, so that readers of
a folder of Parquet files pass it over.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """`output` is None where there is no answer, `score` (0..1) where there is none; `failure` then says why.

    `seconds`: the row's share of its batch's generation. `enrol_seconds`: the user's share of making the adapters, and
    the profiles that adapters or prompts need, of the users enrolled together. `context_tokens`: of what the context
    added, before the prompt was shortened to fit. `adapter_seconds`: the part of `seconds` in which this row's adapter
    was made, 0 where it was there. `adapter_bytes`: of the adapter that answered, `kept_bytes`: the
    same where it is this user's alone, else 0.
    `peak_rss`, `peak_cuda`: bytes at most while this row's users were enrolled and asked.
    """

    example_id: str
    user_id: str
    task: str
    method: str
    adapter: str
    context: str
    split: str
    seed: int
    history_items: int
    target: str
    output: str | None = None
    score: float | None = None
    failure: str | None = None
    seconds: float | None = None
    enrol_seconds: float | None = None
    prompt_tokens: int | None = None
    new_tokens: int | None = None
    context_tokens: int | None = None
    adapter_bytes: int | None = None
    kept_bytes: int | None = None
    peak_rss: int | None = None
    peak_cuda: int | None = None
    adapter_seconds: float | None = None


KINDS = {str: pa.string(), int: pa.int64(), float: pa.float64()}
R = TypeVar("R")


def schema_of(kind: type) -> pa.Schema:
    """The columns of a dataclass whose fields are texts, numbers, or None."""
    return pa.schema([(field.name, KINDS[(get_args(field.type) or (field.type,))[0]]) for field in fields(kind)])


SCHEMA = schema_of(Row)
MEASURED = ("seconds", "enrol_seconds", "adapter_seconds", "peak_rss", "peak_cuda")
"""Columns that differ from run to run: clocks and memory."""
LATER = ("adapter_seconds",)
"""Columns that older files do not have: not measured."""


def write_part(path: Path, rows: Sequence[Any], about: Mapping[str, Any], kind: type = Row) -> None:
    """Write a part of rows of one `kind`, whole or not at all; `about` is what read_about gives back."""
    make_private(path.parent)
    table = pa.Table.from_pylist([asdict(row) for row in rows], schema_of(kind))
    said = json.dumps(about, sort_keys=True, ensure_ascii=False)
    table = table.replace_schema_metadata({ABOUT: said.encode("utf-8", "surrogatepass")})
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".part-")
    os.close(handle)
    try:
        pq.write_table(table, name, compression="zstd")
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def make_private(folder: Path) -> None:
    """A folder, and those above it that are not there yet, for their owner only."""
    missing = [one for one in (folder, *folder.parents) if not one.exists()]
    for one in reversed(missing):
        one.mkdir(mode=0o700, exist_ok=True)


def read_about(path: Path) -> dict[str, Any]:
    """What a part says of itself. ValueError where it is no part of ours."""
    try:
        said = (pq.read_schema(path).metadata or {}).get(ABOUT)
    except (pa.ArrowInvalid, OSError) as error:
        raise ValueError(f"{path} is no readable Parquet file ({type(error).__name__}); delete it to go on") from None
    if said is None:
        raise ValueError(f"{path} was not written by `tailor eval`: expected what made it in its metadata")
    about: dict[str, Any] = json.loads(said.decode("utf-8", "surrogatepass"))
    return about


def read_part(path: Path) -> Iterator[Row]:
    """A part's rows, in order. ValueError where its columns are others."""
    return read_as(Row, path)


def read_as(kind: type[R], path: Path) -> Iterator[R]:
    """The rows of that kind of a part, in order. ValueError where its columns are others."""
    found, wanted = pq.read_schema(path), schema_of(kind)
    missing = [name for name in wanted.names if name in LATER and name not in found.names]
    if found.names != [name for name in wanted.names if name not in missing]:
        odd = sorted(set(found.names) ^ set(wanted.names))
        raise ValueError(f"{path} has other columns than rows have here: {', '.join(odd)}")
    there = pa.schema([field for field in wanted if field.name not in missing])
    return (kind(**row) for row in pq.read_table(path, schema=there).to_pylist())


def failures(path: Path) -> int:
    """How many rows of a part have no answer or no score."""
    return sum(reason is not None for reason in pq.read_table(path, columns=["failure"])["failure"].to_pylist())


def answered(path: Path) -> int:
    """How many rows of a part have an answer and a score."""
    return int(pq.read_metadata(path).num_rows) - failures(path)


def digest(examples: Sequence[Example], histories: Mapping[str, int]) -> str:
    """A digest of what was asked of whom: ids, texts, and the lengths of histories."""
    found = hashlib.sha256()
    for one in examples:
        said = [one.id, one.user_id, one.task, one.input, one.target, one.time, histories[one.user_id]]
        found.update(json.dumps(said).encode())
    return found.hexdigest()[:32]
