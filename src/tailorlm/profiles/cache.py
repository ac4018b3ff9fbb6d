"""A disk cache of text vectors, by encoder id and content hash, shared by any number of processes.

One SQLite file in WAL mode; texts and user ids are stored as digests only. What is forgotten is overwritten.
Knows nothing of what the texts are about. Vectors of one text are always the first ones stored, so that two
processes that encode it at once agree to the bit.
"""

import hashlib
import os
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

import torch

from tailorlm.profiles.encode import Encoder

SCHEMA = """
CREATE TABLE IF NOT EXISTS vectors (key BLOB PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS owners (owner BLOB, key BLOB, PRIMARY KEY (owner, key)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS owned ON owners (key);
"""
ALONE = """
DELETE FROM vectors WHERE key IN
(SELECT key FROM owners WHERE owner = ? EXCEPT SELECT key FROM owners WHERE owner != ?)
"""
CHUNK = 500
NAME = "vectors.sqlite"
PATIENCE_S = 60.0


class CachedEncoder:
    """An encoder that remembers on disk. Safe to share between processes, threads and forks."""

    def __init__(self, encoder: Encoder, directory: str | Path) -> None:
        self.encoder, self.id, self.size = encoder, encoder.id, encoder.size
        folder = Path(directory)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.file = folder / NAME
        os.close(os.open(self.file, os.O_CREAT, 0o600))
        with opened(self.file) as store:
            store.executescript(SCHEMA)

    def __call__(self, texts: Sequence[str]) -> torch.Tensor:
        """(N, E) float32 in the order of `texts`; each distinct text is encoded once."""
        keys = [self._key(text) for text in texts]
        found = self._read(keys)
        missing = {key: text for key, text in zip(keys, texts, strict=True) if key not in found}
        if missing:
            self._add(missing)
            found = self._read(keys)
        return torch.stack([found[key] for key in keys]) if keys else torch.zeros(0, self.size)

    def own(self, texts: Iterable[tuple[str, str]]) -> None:
        """Record whose the texts are, (user id, text) each, so that `forget_user` finds them."""
        rows = {(digest("user", user_id), self._key(text)) for user_id, text in texts}
        with opened(self.file) as store:
            store.executemany("INSERT OR IGNORE INTO owners VALUES (?, ?)", sorted(rows))

    def forget(self, texts: Iterable[str]) -> int:
        """Delete the vectors of `texts`, whoever owns them; how many there were."""
        return self._delete([self._key(text) for text in texts])

    def forget_user(self, user_id: str) -> int:
        """Delete the user's record and the vectors that no other user owns; how many vectors went."""
        return forget_user(self.file.parent, user_id)

    def __len__(self) -> int:
        with opened(self.file) as store:
            return int(store.execute("SELECT count(*) FROM vectors").fetchone()[0])

    def _key(self, text: str) -> bytes:
        return digest(self.id, text)

    def _read(self, keys: Sequence[bytes]) -> dict[bytes, torch.Tensor]:
        distinct = sorted(set(keys))
        rows: list[tuple[bytes, bytes]] = []
        with opened(self.file) as store:
            for start in range(0, len(distinct), CHUNK):
                part = distinct[start : start + CHUNK]
                marks = ",".join("?" * len(part))
                rows += store.execute(f"SELECT key, value FROM vectors WHERE key IN ({marks})", part).fetchall()
        return {key: self._vector(value) for key, value in rows}

    def _vector(self, value: bytes) -> torch.Tensor:
        if len(value) != 4 * self.size:
            raise ValueError(
                f"{self.file}: an entry of {self.id} has {len(value)} bytes, expected {4 * self.size}; delete the file"
            )
        return torch.frombuffer(bytearray(value), dtype=torch.float32)

    def _add(self, missing: dict[bytes, str]) -> None:
        vectors = self.encoder(list(missing.values())).float().cpu().numpy()
        rows = [(key, vector.tobytes()) for key, vector in zip(missing, vectors, strict=True)]
        with opened(self.file) as store:
            store.executemany("INSERT OR IGNORE INTO vectors VALUES (?, ?)", rows)

    def _delete(self, keys: Sequence[bytes]) -> int:
        with opened(self.file) as store:
            store.execute("BEGIN IMMEDIATE")
            gone = sum(store.execute("DELETE FROM vectors WHERE key = ?", (key,)).rowcount for key in keys)
            store.executemany("DELETE FROM owners WHERE key = ?", [(key,) for key in keys])
        _wipe_log(self.file)
        return gone


def claim(encoder: Encoder, texts: Iterable[tuple[str, str]]) -> None:
    """Where `encoder` remembers on disk, record whose texts (user id, text) it is given next. Before it is given
    them: what a stop leaves behind is forgotten with its user, too.
    """
    if isinstance(encoder, CachedEncoder):
        encoder.own(texts)


def forget_user(directory: str | Path, user_id: str) -> int:
    """As `CachedEncoder.forget_user`, of all encoders whose vectors are in the folder. ValueError for no cache."""
    file, owner = Path(directory) / NAME, digest("user", user_id)
    if not file.is_file():
        raise ValueError(f"{directory} is no cache of vectors: it has no {NAME}")
    with opened(file) as store:
        store.execute("BEGIN IMMEDIATE")
        gone = store.execute(ALONE, (owner, owner)).rowcount
        store.execute("DELETE FROM owners WHERE owner = ?", (owner,))
    _wipe_log(file)
    return gone


def _wipe_log(file: Path) -> None:
    """Fold the write-ahead log into the file and empty it, so that deleted bytes are in neither."""
    with opened(file) as store:
        store.execute("PRAGMA wal_checkpoint(TRUNCATE)")


@contextmanager
def opened(file: Path) -> Iterator[sqlite3.Connection]:
    """A fresh connection a use: none is carried across a fork or into another thread. Commits on success."""
    with closing(sqlite3.connect(file, timeout=PATIENCE_S)) as store:
        store.execute("PRAGMA journal_mode=WAL")
        store.execute("PRAGMA secure_delete=ON")
        with store:
            yield store


def digest(space: str, text: str) -> bytes:
    """What stands for a text, or a user's id, on disk."""
    return hashlib.sha256(f"{len(space)}:{space}".encode() + text.encode("utf-8", "surrogatepass")).digest()
