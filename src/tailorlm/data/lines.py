"""A file's bytes, lines and JSON objects, a line in memory at a time; plain or gzip (name ends in .gz).

Knows nothing of users. Every way in which bytes can fail to be JSON ends in a DataError or a counted problem.

Decisions
- A file that is missing, a folder, not a regular file or not readable raises DataError. A gzip stream that is
  damaged half-way is one problem; the lines before the damage stand.
- UTF-8 only. A byte order mark at the very start is dropped; UTF-16 and other encodings are a problem of
  every line they spoil. Lines end with LF or CRLF. Blank lines are skipped and not counted as problems.
- A line has at most `MAX_LINE` bytes; the rest of a longer one is passed over without being held.
- JSON with control characters in a text or nested deeper than the parser goes (about 1,000) is a problem of its
  line, or of its document. NaN, Infinity, numbers of hundreds of digits, and an object with a key twice are read
  as such and are a problem of the field that holds them; in keys that are not ours they are ignored.
"""

import gzip
import json
import math
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, cast

from .fields import Repeated, table
from .problems import DataError, Faults, FieldError, Place, Problem

MAX_LINE = 16 * 2**20
_BROKEN = (OSError, EOFError, zlib.error)


def open_bytes(path: Path) -> BinaryIO:
    """The bytes of a regular file, decompressed if named .gz; DataError where there are none."""
    try:
        reason = "no such file" if not path.exists() else "" if path.is_file() else "not a regular file"
        if not reason:
            return cast(BinaryIO, gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb"))
    except OSError as error:
        reason = error.strerror or type(error).__name__
    raise DataError(Problem(str(path), 0, "", reason))


def numbered(path: Path, faults: Faults) -> Iterator[tuple[Place, bytes]]:
    """The lines that are not blank, numbered from 1, without a byte order mark or line end."""
    place = Place(str(path), 0)
    with open_bytes(path) as handle:
        while True:
            place = Place(str(path), place.line + 1)
            line = _next(handle, place, faults)
            if line is None:
                return
            line = line.removeprefix(b"\xef\xbb\xbf") if place.line == 1 else line
            if line.strip():
                yield place, line.rstrip(b"\r\n")


def objects(path: Path, faults: Faults) -> Iterator[tuple[Place, dict[str, object]]]:
    """The JSON object of every line; a line that is none is a problem."""
    for place, line in numbered(path, faults):
        try:
            found = table(parse(decode(line)), "")
        except FieldError as error:
            faults.add(place, error.field, error.reason)
            continue
        yield place, found


def decode(line: bytes) -> str:
    """UTF-8 bytes as text; FieldError with the first bad byte's position."""
    try:
        return line.decode("utf-8")
    except UnicodeDecodeError as error:
        start = error.start + 1
    wide = line[:2] in (b"\xff\xfe", b"\xfe\xff")
    raise FieldError("", "UTF-16, not UTF-8" if wide else f"not UTF-8 at byte {start}")


def parse(document: str) -> object:
    """The value of a JSON text; FieldError with the position, never with the text."""
    try:
        return DECODER.decode(document)
    except json.JSONDecodeError as error:
        reason = f"not JSON: {error.msg} (row {error.lineno}, column {error.colno})"
    except RecursionError:
        reason = "not JSON that can be read: nested too deeply"
    raise FieldError("", reason)


def _next(handle: BinaryIO, place: Place, faults: Faults) -> bytes | None:
    """The next line, empty where it is too long; None at the end and at damage."""
    try:
        line = handle.readline(MAX_LINE + 1)
        long = len(line) > MAX_LINE and not line.endswith(b"\n")
        rest = long
        while rest:
            more = handle.readline(2**20)
            rest = bool(more) and not more.endswith(b"\n")
    except _BROKEN:
        line, long = b"", False
        damaged = True
    else:
        damaged = False
    if damaged:
        faults.add(place, "", "damaged: the file ends or breaks here")
    if long:
        faults.add(place, "", f"longer than {MAX_LINE} bytes, the limit of a line")
        return b" "
    return line or None


def _whole(digits: str) -> float:
    # Python refuses to read integers of thousands of digits; no field takes one of hundreds.
    return int(digits) if len(digits) < 400 else math.inf


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    return found if len(found) == len(pairs) else Repeated(found)


DECODER = json.JSONDecoder(parse_int=_whole, object_pairs_hook=_once)
