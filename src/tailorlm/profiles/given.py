"""Profiles that came with the data: the user's own profile text, a statement a line.

Knows nothing of what the text says. Source: P2P section 2, "if a pre-existing profile is available ... we
use it".
"""

from tailorlm.data.records import User
from tailorlm.profiles.profile import Profile, Statement

VERSION = "given-1"
NEUTRAL = "no profile was given"


def has_text(user: User) -> bool:
    """Whether the data give a profile that says something."""
    return bool((user.profile or "").strip())


def profile(user: User, task: str | None = None) -> Profile:
    """The user's profile text by lines, facets "line 1", "line 2", ...; without a text one neutral statement.

    A line is kept whole, however long: an encoder that cannot read it all reports it.
    """
    lines = [line.strip() for line in (user.profile or "").splitlines() if line.strip()] or [NEUTRAL]
    numbered = tuple(Statement(f"line {number}", line) for number, line in enumerate(lines, start=1))
    return Profile(user.id, task, numbered, VERSION)
