"""The elements of a JSON file that is one array, one in memory at a time; plain or .gz.

Knows nothing of what the elements are. The text is decoded a chunk at a time and each element parsed by itself, so
memory is bounded by the longest element, whatever the number of them.

Decisions
- A document that is no array, breaks off, or is not JSON somewhere raises DataError there, whatever `on_error` is:
  nobody can say where the next element begins. The elements before stand.
- An element has at most `MAX_ELEMENT` characters; a longer one raises.
"""

import codecs
import json
import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from .lines import DECODER, open_bytes
from .problems import DataError, Problem

CHUNK = 2**18
MAX_ELEMENT = 2**28
CUT = 12
"""Characters: no number, literal or escape that a chunk cuts in two has its error further from the end than this."""
SPACE = re.compile(r"[ \t\r\n]*")


def elements(path: Path) -> Iterator[object]:
    """The values of the array, in order; an object with a key twice is a `fields.Repeated`."""
    with open_bytes(path) as handle:
        text = _Text(handle, path)
        if text.next_character() != "[":
            raise text.error("expected a JSON array of objects" if text.buffer else "not JSON: the file is empty")
        text.at += 1
        if text.next_character() == "]":
            text.at += 1
        else:
            yield from _values(text)
        if text.next_character():
            raise text.error("not JSON: something stands after the end of the array")


def opens_array(path: Path) -> bool:
    """Whether the first character that is not white space opens an array; the rest of the file may be anything."""
    with open_bytes(path) as handle:
        try:
            found = handle.read(CHUNK).removeprefix(codecs.BOM_UTF8).lstrip()
            while not found and (more := handle.read(CHUNK)):
                found = more.lstrip()
        except (OSError, EOFError, zlib.error):
            return False
    return found.startswith(b"[")


def _values(text: "_Text") -> Iterator[object]:
    while True:
        text.count += 1
        yield text.value()
        found = text.next_character()
        text.at += 1
        if found == "]":
            return
        if found != ",":
            raise text.error("not JSON: expected a comma or the end of the array" if found else BROKEN_OFF)


BROKEN_OFF = "not JSON: the file ends in the middle of the array"


class _Text:
    """What is decoded and not yet read: `buffer` from `at`; `count` elements have been begun."""

    def __init__(self, handle: BinaryIO, path: Path) -> None:
        self.handle, self.path = handle, path
        self.buffer, self.at, self.count, self.ended = "", 0, 0, False
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self._first = True

    def error(self, reason: str) -> DataError:
        return DataError(Problem(str(self.path), self.count, "", reason, "item"))

    def next_character(self) -> str:
        """The next one that is not white space, without passing it; empty at the end."""
        while True:
            self.at = SPACE.match(self.buffer, self.at).end()  # type: ignore[union-attr]  # it matches nothing, too
            if self.at < len(self.buffer):
                return self.buffer[self.at]
            if not self.more():
                return ""

    def value(self) -> object:
        """The JSON value that begins here. DataError where there is none."""
        if not self.next_character():
            raise self.error(BROKEN_OFF)
        while True:
            try:
                found, end = DECODER.raw_decode(self.buffer, self.at)
            except json.JSONDecodeError as error:
                reason, far = f"not JSON: {error.msg}", error.pos < len(self.buffer) - CUT
                if self.ended or (far and not error.msg.startswith("Unterminated string")):
                    raise self.error(reason) from None
            except RecursionError:
                raise self.error("not JSON that can be read: nested too deeply") from None
            else:
                open_end = len(self.buffer) - (CUT if isinstance(found, int | float) else 0)
                if end < open_end or self.ended:  # a number may go on where the chunk ends
                    self.at = end
                    return found
            if len(self.buffer) - self.at > MAX_ELEMENT:
                raise self.error(f"an element longer than {MAX_ELEMENT} characters, the limit")
            self.more()

    def more(self) -> bool:
        """Read on, as much again as is waiting; False at the end."""
        if self.ended:
            return False
        self.buffer, self.at = self.buffer[self.at :], 0
        new = self._decoded(max(CHUNK, len(self.buffer)))
        self.buffer += new.removeprefix("\ufeff") if self._first else new
        self._first = False
        return True

    def _decoded(self, size: int) -> str:
        try:
            content = self.handle.read(size)
            self.ended = not content
            return self._decoder.decode(content, final=self.ended)
        except UnicodeDecodeError:
            reason = "not UTF-8"
        except (OSError, EOFError, zlib.error):
            reason = "damaged: the file ends or breaks before its end"
        raise self.error(reason)
