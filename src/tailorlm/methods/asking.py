"""Profiles of many histories, asked for together where whoever makes them can make many at once.

A language model behind an endpoint answers several users side by side; one history after the other would wait for each
reply. Knows nothing of how profiles are made. Source: P2P section 2 (profiles of all training users come first).
"""

from collections.abc import Sequence
from typing import NamedTuple, Protocol, runtime_checkable

from tailorlm.data.records import Interaction
from tailorlm.methods.source import Profiler
from tailorlm.profiles.profile import Profile


class Asked(NamedTuple):
    """Whose history is to be put into words, and about which task (None: all)."""

    user_id: str
    history: Sequence[Interaction]
    task: str | None


@runtime_checkable
class Together(Protocol):
    """A `Profiler` that also makes many at once."""

    def __call__(self, user_id: str, history: Sequence[Interaction], task: str | None) -> Profile:
        """The profile of one history."""

    def many(self, asked: Sequence[Asked]) -> list[Profile]:
        """A profile of each (N), in order. ValueError, as the call raises it, for the first that has none."""


def profiles(profile: Profiler, asked: Sequence[Asked]) -> list[Profile]:
    """A profile of each (N), in order. Raises what making the first that has none raises."""
    return profile.many(asked) if isinstance(profile, Together) else [profile(*one) for one in asked]
