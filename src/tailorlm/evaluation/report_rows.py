"""A run's Parquet rows as the report reads them: the columns that it needs, checked, since files may be anybody's.

Only plain columns of the types that `tailor eval` writes are read, a batch at a time; nothing in a file is run, and
none of its text stands in an error. Knows nothing of what rows mean. Source: evaluation/rows.py.
"""

import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tailorlm.evaluation.rows import LATER, read_about

TEXT, WHOLE, DECIMAL = pa.string(), pa.int64(), pa.float64()
COLUMNS = {
    "example_id": TEXT, "user_id": TEXT, "task": TEXT, "method": TEXT, "split": TEXT, "adapter": TEXT, "context": TEXT,
    "target": TEXT, "history_items": WHOLE, "score": DECIMAL, "enrol_seconds": DECIMAL, "peak_rss": WHOLE,
    "peak_cuda": WHOLE, "seed": WHOLE, "kept_bytes": WHOLE, "adapter_seconds": DECIMAL,
}  # fmt: skip
OPTIONAL = frozenset({"score", "enrol_seconds", "peak_rss", "peak_cuda", "kept_bytes", "adapter_seconds"})
"""Columns that may be empty."""


def method_of(path: Path) -> Mapping[str, Any]:
    """All that decided the answers of a part. ValueError names the file that does not say it."""
    try:
        about = read_about(path)
    except (json.JSONDecodeError, UnicodeDecodeError, RecursionError) as wrong:
        raise ValueError(f"{path}: what made it is no readable JSON ({type(wrong).__name__})") from None
    method = about.get("method") if isinstance(about, Mapping) else None
    if not isinstance(method, Mapping):
        raise ValueError(f"{path} does not say which method made it: expected rows of `tailor eval`")
    return method


def part_rows(path: Path) -> Iterator[dict[str, Any]]:
    """A part's rows, streamed. ValueError names the file, and the column that is missing or holds something else."""
    try:
        file = pq.ParquetFile(path)
        checked(path, file.schema_arrow)
        for batch in file.iter_batches(columns=list(COLUMNS)):
            yield from (sound(path, {**dict.fromkeys(LATER), **row}) for row in batch.to_pylist())
    except (pa.ArrowException, OSError, UnicodeDecodeError) as wrong:
        raise ValueError(f"{path} is no readable Parquet file ({type(wrong).__name__})") from None


def checked(path: Path, schema: pa.Schema) -> None:
    """ValueError for a column that is not there, or not of its type."""
    for name, kind in COLUMNS.items():
        if name in LATER and name not in schema.names:
            continue
        if schema.names.count(name) != 1:
            raise ValueError(f"{path} has no column {name}: expected rows of `tailor eval`")
        if schema.field(name).type != kind:
            raise ValueError(f"{path}: column {name} is not of type {kind}")


def sound(path: Path, row: dict[str, Any]) -> dict[str, Any]:
    """The row. ValueError where a value is missing, or a number is none that can be."""
    for name, value in row.items():
        if value is None and name not in OPTIONAL:
            raise ValueError(f"{path}: column {name} has a row without a value")
        if isinstance(value, float) and not (math.isfinite(value) and value >= 0):
            raise ValueError(f"{path}: column {name} has {value:g}: expected a finite number, 0 or more")
    if row["score"] is not None and row["score"] > 1:
        raise ValueError(f"{path}: column score has {row['score']:g}: expected a score from 0 to 1")
    return row
