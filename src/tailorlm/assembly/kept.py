"""Profiles kept in memory as they are made, so many histories at once: what training asks.

A language model is asked about many histories side by side, which is its endpoint's business; requests of AT_ONCE
histories are written out at a time. Knows nothing of how profiles are made, or of methods.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TypeVar

from tailorlm.data.records import Interaction, User
from tailorlm.methods.asking import Asked
from tailorlm.profiles.llm import ProfileError, ProfilesError
from tailorlm.profiles.profile import Profile

Profilers = Callable[[Sequence[User], str | None], list[Profile]]
"""(users, task or None for all) -> a profile each, from the whole of each history."""
Key = tuple[str, tuple[Interaction, ...], str | None]
T = TypeVar("T")
AT_ONCE = 256
"""Histories that are put into words together: many for any endpoint's concurrency, few to hold as requests."""


class Kept:
    """A `Profiler` of one history or many; each profile is made once. `texts`: those that came with the data."""

    def __init__(self, profilers: Profilers, texts: Mapping[str, str | None]) -> None:
        self._profilers, self._texts = profilers, texts
        self._made: dict[Key, Profile] = {}

    def __call__(self, user_id: str, history: Sequence[Interaction], task: str | None) -> Profile:
        """The profile of a history. ProfilesError where none could be written."""
        return self.many([Asked(user_id, history, task)])[0]

    def many(self, asked: Sequence[Asked]) -> list[Profile]:
        """A profile of each (N), in order. ProfilesError for the first that could not be written; what came is kept."""
        keys: list[Key] = [(one.user_id, tuple(one.history), one.task) for one in asked]
        for task, missing in by_task([key for key in dict.fromkeys(keys) if key not in self._made]):
            for some in parts(missing, AT_ONCE):
                self._make(some, task)
        return [self._made[key] for key in keys]

    def _make(self, keys: Sequence[Key], task: str | None) -> None:
        users = [User(user_id, history, self._texts.get(user_id)) for user_id, history, _ in keys]
        try:
            found: Sequence[Profile | ProfileError] = self._profilers(users, task)
        except ProfilesError as error:
            found = error.found
        made = {key: one for key, one in zip(keys, found, strict=True) if isinstance(one, Profile)}
        self._made |= made
        if len(made) < len(found):
            raise ProfilesError([next(one for one in found if isinstance(one, ProfileError))])


def by_task(keys: Sequence[Key]) -> Iterator[tuple[str | None, list[Key]]]:
    """The keys of each task, in the order in which tasks come."""
    for task in dict.fromkeys(key[2] for key in keys):
        yield task, [key for key in keys if key[2] == task]


def parts(all_of: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """So many at a time, the last part fewer."""
    return (all_of[start : start + size] for start in range(0, len(all_of), size))
