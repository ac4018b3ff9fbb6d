"""Replies of an endpoint kept on disk, so that what was answered once is never asked, or paid for, again.

One SQLite file, mode 0600, in a folder of mode 0700: prompts as digests only, replies as they came, each stored
the moment it arrives. A failure is not stored: the next run asks again. What is forgotten is overwritten. Knows
nothing of what prompts are about.
"""

import hashlib
import json
import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from time import sleep

from tailorlm.profiles.endpoint import Endpoint, EndpointError, Reply, Settings, in_order, whole

SCHEMA = "CREATE TABLE IF NOT EXISTS replies (key BLOB PRIMARY KEY, reply TEXT NOT NULL) WITHOUT ROWID"
PATIENCE_S = 60.0


class CachedReplies:
    """An endpoint that remembers. The key is the address, the model, its settings and the prompt."""

    def __init__(self, endpoint: Endpoint, directory: str | Path) -> None:
        self.endpoint, self.settings = endpoint, endpoint.settings
        folder = Path(directory)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.file = folder / "replies.sqlite"
        os.close(os.open(self.file, os.O_CREAT, 0o600))
        with self._open() as store:
            store.execute(SCHEMA)

    def __call__(self, prompts: Sequence[str]) -> list[str]:
        """As the endpoint's: a reply a prompt, BatchError where one has none; the others are kept."""
        return whole(self.each(prompts))

    def each(self, prompts: Sequence[str]) -> list[Reply]:
        """For each prompt, in order, its reply or why there is none."""
        return in_order(self.stream(prompts))

    def stream(self, prompts: Sequence[str]) -> Iterator[tuple[int, Reply]]:
        """(place, reply or failure): what is known first, then as it comes. A prompt that stands twice is asked
        once.
        """
        places: dict[bytes, list[int]] = {}
        for place, prompt in enumerate(prompts):
            places.setdefault(self._key(prompt), []).append(place)
        unknown = []
        for key, where in places.items():
            if (reply := self._read(key)) is None:
                unknown.append(key)
            else:
                yield from ((place, reply) for place in where)
        for n, found in self.endpoint.stream([prompts[places[key][0]] for key in unknown]):
            if not isinstance(found, EndpointError):
                self._add(unknown[n], found)
            yield from ((place, found) for place in places[unknown[n]])

    def forget(self, prompts: Iterable[str]) -> int:
        """Delete the replies to `prompts`; how many there were."""
        keys = [(self._key(prompt),) for prompt in prompts]
        with self._open() as store:
            return sum(store.execute("DELETE FROM replies WHERE key = ?", key).rowcount for key in keys)

    def __len__(self) -> int:
        with self._open() as store:
            return int(store.execute("SELECT count(*) FROM replies").fetchone()[0])

    def _key(self, prompt: str) -> bytes:
        use = self.settings
        asked = json.dumps([use.url, use.model, use.max_tokens, use.temperature, prompt])
        return hashlib.sha256(asked.encode()).digest()

    def _read(self, key: bytes) -> str | None:
        with self._open() as store:
            row = store.execute("SELECT reply FROM replies WHERE key = ?", (key,)).fetchone()
        return None if row is None else str(row[0])

    def _add(self, key: bytes, reply: str) -> None:
        with self._open() as store:
            store.execute("INSERT OR IGNORE INTO replies VALUES (?, ?)", (key, reply))

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        """A fresh connection a use, carried into no other thread or process. Commits on success."""
        with closing(sqlite3.connect(self.file, timeout=PATIENCE_S)) as store:
            store.execute("PRAGMA secure_delete=ON")
            with store:
                yield store


def asker(settings: Settings, wait: Callable[[float], None] = sleep) -> Endpoint | CachedReplies:
    """The endpoint of the settings, with its cache where they name one."""
    endpoint = Endpoint(settings, wait)
    return CachedReplies(endpoint, settings.cache) if settings.cache else endpoint
