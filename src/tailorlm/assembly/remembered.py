"""Profiles made once each, for all methods that ask, on disk: what many users' profiles are must not fill memory.

Many users' profiles are made in one call where that is possible (a language model writes them in batches); a user for
whom that failed is not asked about again, and stops nobody else. What a profile took to make is known even where it was
made before, so that no method pays for another; a method pays once for each, however often it asks. The file has no
name: nothing of it outlives the process. Knows nothing of methods.
"""

import hashlib
import pickle
import tempfile
import time
import weakref
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from tailorlm.assembly.fitting import fit
from tailorlm.assembly.kept import AT_ONCE, Profilers, parts
from tailorlm.assembly.store import bare
from tailorlm.data.records import Interaction, User
from tailorlm.methods.asking import Asked, profiles
from tailorlm.methods.source import Profiler
from tailorlm.profiles.llm import ProfileError, ProfilesError
from tailorlm.profiles.profile import Profile

Key = tuple[str, str | None, bytes]


class Remembered:
    """A `Profiler`; `spared` adds up the seconds that profiles took which were made before they were asked for.

    `paid`: those that who asks now has paid for, and pays no more for; somebody else begins with an empty set.
    """

    def __init__(self, profilers: Profilers, directory: Path | None = None) -> None:
        self._profilers = profilers
        self._file = tempfile.TemporaryFile(dir=directory)  # noqa: SIM115 (open as long as this is)
        weakref.finalize(self, self._file.close)
        self._places: dict[Key, tuple[int, float]] = {}
        self._failed: dict[Key, str] = {}
        self._texts: dict[str, str] = {}
        self._near: dict[str, User] = {}
        self._digests: dict[str, bytes] = {}
        self.spared = 0.0
        self.paid: set[Key] = set()

    def meet(self, users: Sequence[User]) -> None:
        """These users' profiles are asked for next: they are made together, with the texts that came with them."""
        self._near, self._digests = {user.id: user for user in users}, {}
        for user in users:
            self._texts.pop(user.id, None)
            if user.profile is not None:
                self._texts[user.id] = user.profile

    def tell(self, texts: Mapping[str, str]) -> None:
        """Profile texts that came with the data, by user."""
        self._texts.update(texts)

    def made(self, user: User, task: str | None) -> Profile | None:
        """The profile of a user, if it was made before."""
        found = self._places.get(self._key(user, task))
        return None if found is None else self._read(found[0])

    def __call__(self, user_id: str, history: Sequence[Interaction], task: str | None) -> Profile:
        """The profile of a history, made now unless it was made before. ProfileError where none could be made."""
        asked = User(user_id, tuple(history), self._texts.get(user_id))
        key = self._key(asked, task)
        if key in self._places:
            start, seconds = self._places[key]
            self.spared += 0.0 if key in self.paid else seconds
            self.paid.add(key)
            return self._read(start)
        if self._near.get(user_id) == asked and key not in self._failed:
            self._together(task)
        if key not in self._places and key not in self._failed:
            self._make([asked], task)
        if key in self._failed:
            raise ProfileError(user_id, self._failed[key])
        self.paid.add(key)
        return self._read(self._places[key][0])

    def many(self, asked: Sequence[Asked]) -> list[Profile]:
        """A profile of each (N), in order: those that are missing are made together, AT_ONCE of them.

        ProfileError, as the call raises it, for the first that has none.
        """
        missing: dict[str | None, dict[Key, User]] = {}
        for one in asked:
            user = User(one.user_id, tuple(one.history), self._texts.get(one.user_id))
            if (key := self._key(user, one.task)) not in self._places and key not in self._failed:
                missing.setdefault(one.task, {})[key] = user
        for task, users in missing.items():
            for keys in parts(list(users), AT_ONCE):
                # Where one of them cannot be made, each is made alone, so that the others can.
                with suppress(ValueError):
                    self._make([users[key] for key in keys], task)
                    self.paid.update(keys)
        return [self(*one) for one in asked]

    def _together(self, task: str | None) -> None:
        """The profiles of all users who were met and have none yet; who asks first pays its own share only."""
        tried = self._places.keys() | self._failed.keys()
        missing = [user for user in self._near.values() if self._key(user, task) not in tried]
        try:
            share = self._make(missing, task)
        except ValueError:
            return  # one of them cannot be made: each alone then, so that the others can
        self.spared -= share * (len(missing) - 1)

    def _make(self, users: Sequence[User], task: str | None) -> float:
        """Makes and keeps, failures too; seconds of each."""
        start = time.perf_counter()
        try:
            made: Sequence[Profile | ProfileError] = self._profilers(users, task)
        except ProfilesError as error:
            made = error.found
        share = (time.perf_counter() - start) / len(users)
        for user, profile in zip(users, made, strict=True):
            if isinstance(profile, ProfileError):
                self._failed[self._key(user, task)] = profile.reason
                continue
            self._places[self._key(user, task)] = (self._file.seek(0, 2), share)
            pickle.dump(profile, self._file, pickle.HIGHEST_PROTOCOL)
        return share

    def _read(self, start: int) -> Profile:
        self._file.seek(start)
        found: Profile = pickle.load(self._file)
        return found

    def _key(self, user: User, task: str | None) -> Key:
        if self._near.get(user.id) != user:
            return user.id, task, digest(user)
        if user.id not in self._digests:
            self._digests[user.id] = digest(user)
        return user.id, task, self._digests[user.id]


def digest(user: User) -> bytes:
    """Of a user's history and profile text. The same content may pickle in two ways (strings that are shared or not):
    its profile is then made twice, and never mixed up.
    """
    said = pickle.dumps(bare(user), pickle.HIGHEST_PROTOCOL)
    return hashlib.blake2b(said, digest_size=16).digest()


class Fitted:
    """A `Profiler` whose profiles a trained source can read: `facets` are its slots, () for any statement.

    `notes` says, by user, what was left out. Before `facets` is set, in training, profiles stay as they are.
    `change` is done to each profile last: a control's.
    """

    def __init__(self, profile: Profiler) -> None:
        self._profile = profile
        self.facets: tuple[str, ...] = ()
        self.notes: dict[str, str] = {}
        self.change: Callable[[Profile], Profile] = lambda profile: profile

    def __call__(self, user_id: str, history: Sequence[Interaction], task: str | None) -> Profile:
        """The profile as a control makes it, if there is one."""
        return self.change(self.plain(user_id, history, task))

    def many(self, asked: Sequence[Asked]) -> list[Profile]:
        """A profile of each (N), likewise."""
        made = profiles(self._profile, asked)
        return [self.change(self._fitted(one.user_id, profile)) for one, profile in zip(asked, made, strict=True)]

    def plain(self, user_id: str, history: Sequence[Interaction], task: str | None) -> Profile:
        """The profile, without the statements that the source has no slot for."""
        return self._fitted(user_id, self._profile(user_id, history, task))

    def _fitted(self, user_id: str, profile: Profile) -> Profile:
        found = fit(profile, self.facets)
        if self.facets and found.note:
            self.notes[user_id] = found.note
        return found.profile
