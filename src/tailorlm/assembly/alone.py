"""One at a time at work in a run's folder: a lock that the system gives back at the end, also after a kill.

Where the system or the file system has no such locks, nobody is kept out. Knows nothing of what is done in the folder.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tailorlm.assembly.run_folders import LOCK

if sys.platform != "win32":
    import fcntl


@contextmanager
def alone(directory: Path, what: str) -> Iterator[None]:
    """Nobody else is in here with this folder, which is made if it is not there.

    ValueError where somebody is; `what` says in words what they do.
    """
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    # The file stays: who deleted it could delete the one that another has just locked.
    handle = os.open(directory / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        if not locked(handle):
            raise ValueError(f"{what} is at work in {directory}: wait until it ends, or choose another --out")
        yield
    finally:
        os.close(handle)  # and with it the lock


def locked(handle: int) -> bool:
    """Whether the open file is locked now; False where another has locked it."""
    if sys.platform != "win32":
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError:  # a file system without locks
            return True
    return True
