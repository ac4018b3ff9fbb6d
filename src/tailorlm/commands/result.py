"""What a command found: a table for `--json`, lines for people, and its exit code.

Knows nothing of commands. Standard output has the result and nothing else; progress and errors go to standard error.
"""

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

OK, FAILED, WRONG_INPUT, INTERRUPTED = 0, 1, 2, 130


@dataclass(frozen=True)
class Result:
    """`found` is what `--json` prints; `lines` is the same for people."""

    found: Mapping[str, Any]
    lines: Sequence[str]
    code: int = OK


def show(result: Result, as_json: bool) -> int:
    """Print it, and give its exit code."""
    text = json.dumps(result.found, indent=1, ensure_ascii=False) if as_json else "\n".join(result.lines)
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
    return result.code


def tell(text: str) -> None:
    """A line of progress, on standard error."""
    print(text, file=sys.stderr, flush=True)


def counted(number: int, word: str) -> str:
    """`1 user`, `2,000 users`."""
    return f"{number:,} {word}{'' if number == 1 else 's'}"


def columns(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows as aligned lines, the first column left and the others right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join([row[0].ljust(widths[0]), *(cell.rjust(w) for cell, w in zip(row[1:], widths[1:], strict=True))])
        for row in rows
    ]
