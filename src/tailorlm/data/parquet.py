"""The rows of parquet files as dictionaries, a few in memory at a time.

Knows nothing of what the rows are. Source: the Apache Parquet format, read by pyarrow; LongLaMP's files on the hub.

Decisions
- Several files are the shards of one: their rows follow each other, each file's counted from 1.
- A file that cannot be opened raises DataError whatever `on_error` is. Damage found on the way is a problem of the row
  where it is met: the rows before stand, the rest of that file is lost.
- Values come as they are: a text that is not UTF-8, a struct with a field twice, a row of more than `MAX_ROW` bytes is
  a problem of its row; the wrong type is for the reader of the fields to find.
- Columns that nobody asks for are not read.
"""

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

from .lines import open_bytes
from .problems import DataError, Faults, FieldError, Place, Problem

BATCH = 16
MAX_ROW = 2**28
BUFFER = 2**20


def rows(paths: Sequence[Path], columns: Collection[str], faults: Faults) -> Iterator[tuple[Place, dict[str, object]]]:
    """Each row with those of the columns that its file has."""
    for path in paths:
        file = _opened(path)
        try:
            yield from _rows(file, path, [name for name in file.schema_arrow.names if name in columns], faults)
        finally:
            file.close()


def names(path: Path) -> list[str]:
    """The columns of a file. DataError where it is no parquet file."""
    file = _opened(path)
    try:
        return list(file.schema_arrow.names)
    finally:
        file.close()


def _opened(path: Path) -> Any:
    """The open file; its column chunks are read as they are needed."""
    import pyarrow
    from pyarrow.parquet import ParquetFile

    open_bytes(path).close()  # names what is no file at all
    reason = "not a parquet file, or damaged: its footer cannot be read"
    try:
        file = ParquetFile(path, buffer_size=BUFFER, pre_buffer=False)
        twice = len(set(file.schema_arrow.names)) < len(file.schema_arrow.names)
    except (pyarrow.ArrowException, OSError, ValueError, RuntimeError):
        twice = False
    else:
        if not twice:
            return file
        file.close()
        reason = "a column stands twice"
    raise DataError(Problem(str(path), 0, "", reason, "row"))


def _rows(file: Any, path: Path, columns: list[str], faults: Faults) -> Iterator[tuple[Place, dict[str, object]]]:
    import pyarrow

    number = 0
    batches = file.iter_batches(batch_size=BATCH, columns=columns, use_threads=False)
    while True:
        try:
            batch = next(batches, None)
        except (pyarrow.ArrowException, OSError, ValueError, RuntimeError):
            faults.add(Place(str(path), number + 1, "row"), "", "damaged: the file cannot be read from here on")
            return
        if batch is None:
            return
        for at in range(batch.num_rows):
            number += 1
            place = Place(str(path), number, "row")
            try:
                found = _row(batch.slice(at, 1))
            except FieldError as error:
                faults.add(place, error.field, error.reason)
            else:
                yield place, found


def _row(one: Any) -> dict[str, object]:
    """The only row of a batch; FieldError, without its text, for one that has no Python form."""
    if one.nbytes > MAX_ROW:
        raise FieldError("", f"{one.nbytes} bytes; at most {MAX_ROW} of a row are read")
    found: dict[str, object] = {}
    for name in one.schema.names:
        try:
            found[name] = one.column(name)[0].as_py()
        except UnicodeDecodeError:
            reason = "a text that is not UTF-8"
        except (ValueError, TypeError, OverflowError, NotImplementedError):
            reason = "a value that cannot be read"
        else:
            continue
        raise FieldError(name, reason)
    return found
