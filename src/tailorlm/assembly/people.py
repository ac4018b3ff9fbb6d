"""Who people are, as digests: ids, items and given profiles, of one user after another, in no text.

Tells whether a run that goes on, or is asked, has the people that it began with. Knows nothing of what is done with
them. Source: issue 4 (nobody who trains is asked; other data is refused).
"""

import hashlib
import json
from collections.abc import Iterable

from tailorlm.data.records import User


def digest_of(user: User) -> bytes:
    """(32 bytes) of a user's id, given profile, and items in their order."""
    items = [(item.input, item.output, item.time, item.task) for item in user.history]
    return hashlib.sha256(json.dumps([user.id, user.profile, items]).encode()).digest()


def digest_of_all(users: Iterable[User]) -> str:
    """Of users in any order, one in memory at a time (and 32 bytes of each)."""
    return hashlib.sha256(b"".join(sorted(map(digest_of, users)))).hexdigest()[:32]
