"""Which ids occurred, and where first; on disk, so that a million of them need no memory.

A temporary SQLite database of this process: its file is private, has no name, and goes with the process.
"""

import sqlite3


def scratch() -> sqlite3.Connection:
    """An empty temporary database, kept on disk beyond a cache of 2 MiB."""
    base = sqlite3.connect("", check_same_thread=False, isolation_level=None)
    base.execute("PRAGMA cache_size = -2000")
    base.execute("PRAGMA journal_mode = OFF")
    base.execute("PRAGMA synchronous = OFF")
    base.execute("BEGIN")
    return base


class Seen:
    """Ids and the line each was first seen at."""

    def __init__(self) -> None:
        self._base = scratch()
        self._base.execute("CREATE TABLE seen (id TEXT PRIMARY KEY, line INTEGER) WITHOUT ROWID")

    def first(self, id: str, line: int) -> int | None:
        """None for a new id, which is kept; else the line of its first occurrence."""
        new = self._base.execute("INSERT OR IGNORE INTO seen VALUES (?, ?)", (id, line)).rowcount
        if new:
            return None
        found: tuple[int] = self._base.execute("SELECT line FROM seen WHERE id = ?", (id,)).fetchone()
        return found[0]

    def has(self, id: str) -> bool:
        """Whether the id is kept."""
        return self._base.execute("SELECT 1 FROM seen WHERE id = ?", (id,)).fetchone() is not None

    def close(self) -> None:
        """Drop the ids."""
        self._base.close()
