"""Replies of an endpoint kept on disk, so that what was answered once is never asked, or paid for, again.

One SQLite file, mode 0600, in a folder of mode 0700: prompts and user ids as digests only, replies as they came, each
stored the moment it arrives. A failure is not stored: the next run asks again. What is forgotten is overwritten. Knows
nothing of what prompts are about, and whose they are only where whoever asks says it (`claim`).
"""

import hashlib
import json
import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from time import sleep

from tailorlm.profiles.cache import digest
from tailorlm.profiles.endpoint import Endpoint, EndpointError, Reply, Settings, in_order, whole

SCHEMA = """
CREATE TABLE IF NOT EXISTS replies (key BLOB PRIMARY KEY, reply TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS owners (owner BLOB, key BLOB, PRIMARY KEY (owner, key)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS owned ON owners (key);
"""
ALONE = """
DELETE FROM replies WHERE key IN
(SELECT key FROM owners WHERE owner = ? EXCEPT SELECT key FROM owners WHERE owner != ?)
"""
NOBODYS = "SELECT count(*) FROM replies WHERE key NOT IN (SELECT key FROM owners)"
NAME = "replies.sqlite"
PATIENCE_S = 60.0


class CachedReplies:
    """An endpoint that remembers. The key is the address, the model, its settings and the prompt."""

    def __init__(self, endpoint: Endpoint, directory: str | Path) -> None:
        self.endpoint, self.settings = endpoint, endpoint.settings
        folder = Path(directory)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.file = folder / NAME
        os.close(os.open(self.file, os.O_CREAT, 0o600))
        with opened(self.file) as store:
            store.executescript(SCHEMA)

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

    def own(self, prompts: Iterable[tuple[str, str]]) -> None:
        """Record whose the prompts are, (user id, prompt) each, so that `forget_user` finds their replies."""
        rows = {(digest("user", user_id), self._key(prompt)) for user_id, prompt in prompts}
        with opened(self.file) as store:
            store.executemany("INSERT OR IGNORE INTO owners VALUES (?, ?)", sorted(rows))

    def forget(self, prompts: Iterable[str]) -> int:
        """Delete the replies to `prompts`, whoever owns them; how many there were."""
        keys = [(self._key(prompt),) for prompt in prompts]
        with opened(self.file) as store:
            gone = sum(store.execute("DELETE FROM replies WHERE key = ?", key).rowcount for key in keys)
            store.executemany("DELETE FROM owners WHERE key = ?", keys)
        return gone

    def forget_user(self, user_id: str) -> int:
        """Delete the user's record and the replies that no other user owns; how many replies went."""
        return forget_user(self.file.parent, user_id)

    def __len__(self) -> int:
        with opened(self.file) as store:
            return int(store.execute("SELECT count(*) FROM replies").fetchone()[0])

    def _key(self, prompt: str) -> bytes:
        use = self.settings
        asked = json.dumps([use.url, use.model, use.max_tokens, use.temperature, prompt])
        return hashlib.sha256(asked.encode()).digest()

    def _read(self, key: bytes) -> str | None:
        with opened(self.file) as store:
            row = store.execute("SELECT reply FROM replies WHERE key = ?", (key,)).fetchone()
        return None if row is None else str(row[0])

    def _add(self, key: bytes, reply: str) -> None:
        with opened(self.file) as store:
            store.execute("INSERT OR IGNORE INTO replies VALUES (?, ?)", (key, reply))


def claim(complete: object, prompts: Iterable[tuple[str, str]]) -> None:
    """Where `complete` remembers on disk, record whose prompts (user id, prompt) it is given next. Before it is given
    them: what a stop leaves behind is forgotten with its user, too.
    """
    if isinstance(complete, CachedReplies):
        complete.own(prompts)


def forget_user(directory: str | Path, user_id: str) -> int:
    """As `CachedReplies.forget_user`, of all endpoints whose replies are in the folder. ValueError for no cache."""
    file, owner = cache_in(directory), digest("user", user_id)
    with opened(file) as store:
        store.executescript(SCHEMA)  # a file that was made before owners were recorded
        gone = store.execute(ALONE, (owner, owner)).rowcount
        store.execute("DELETE FROM owners WHERE owner = ?", (owner,))
    return gone


def nobodys(directory: str | Path) -> int:
    """How many replies in the folder are of nobody who is recorded. ValueError for no cache."""
    with opened(cache_in(directory)) as store:
        store.executescript(SCHEMA)
        return int(store.execute(NOBODYS).fetchone()[0])


def cache_in(directory: str | Path) -> Path:
    """The file of the replies in a folder. ValueError where there is none."""
    file = Path(directory) / NAME
    if not file.is_file():
        raise ValueError(f"{directory} is no cache of replies: it has no {NAME}")
    return file


@contextmanager
def opened(file: Path) -> Iterator[sqlite3.Connection]:
    """A fresh connection a use, carried into no other thread or process. Commits on success."""
    with closing(sqlite3.connect(file, timeout=PATIENCE_S)) as store:
        store.execute("PRAGMA secure_delete=ON")
        with store:
            yield store


def asker(settings: Settings, wait: Callable[[float], None] = sleep) -> Endpoint | CachedReplies:
    """The endpoint of the settings, with its cache where they name one."""
    endpoint = Endpoint(settings, wait)
    return CachedReplies(endpoint, settings.cache) if settings.cache else endpoint
