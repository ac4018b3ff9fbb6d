"""Users with the queries asked of them, on disk: any of them at once, few of them in memory.

The file has no name (it is unlinked when made): nothing of it is left behind, not even after a kill. Knows nothing of
models. Source: issue 4 (20,000 users with histories of 200 items in bounded memory).
"""

import pickle
import tempfile
import weakref
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import fields, replace
from itertools import islice
from operator import attrgetter
from pathlib import Path
from typing import overload

from tailorlm.data.records import Example, Interaction, User

Asked = tuple[User, tuple[Example, ...]]
_ITEM = attrgetter(*(field.name for field in fields(Interaction)))
_QUERY = attrgetter(*(field.name for field in fields(Example)))


def bare(user: User) -> tuple[User, list[tuple[object, ...]]]:
    """The user without history, and the items as tuples: these pickle five times faster than records with slots."""
    return replace(user, history=()), [_ITEM(item) for item in user.history]


class UserStore:
    """Grows by `add`; `ids` in the order of adding; `asked` counts the queries by task, `queries` by user; `asks` are
    the tasks that each user is asked, `does` those of the items.
    """

    def __init__(self, directory: Path | None = None) -> None:
        """`directory` is where the nameless file lies; the system's own by default."""
        self.directory = directory
        self._file = tempfile.TemporaryFile(dir=directory)  # noqa: SIM115 (open as long as the store is)
        self.close = weakref.finalize(self, self._file.close)
        """Gives the disk space back; also done when nobody has the store any more."""
        self._starts = array("Q")
        self._places: dict[str, int] = {}
        self.ids: list[str] = []
        self.asked: Counter[str | None] = Counter()
        self.queries = array("I")
        self.asks: list[frozenset[str | None]] = []
        self.does: list[frozenset[str | None]] = []
        self._kinds: dict[frozenset[str | None], frozenset[str | None]] = {}

    def __len__(self) -> int:
        return len(self.ids)

    def add(self, user: User, queries: Sequence[Example] = ()) -> None:
        """Put a user at the end. ValueError for an id that is there already."""
        if user.id in self._places:
            raise ValueError(f"user {user.id!a} comes twice: expected each id once")
        self._starts.append(self._file.seek(0, 2))
        # Pickle, which could run code, is safe here: nobody else can write to a file without a name.
        pickle.dump((bare(user), [_QUERY(one) for one in queries]), self._file, pickle.HIGHEST_PROTOCOL)
        self._places[user.id] = len(self.ids)
        self.ids.append(user.id)
        self.queries.append(len(queries))
        self.asked.update(query.task for query in queries)
        for known, some in ((self.asks, queries), (self.does, user.history)):
            tasks = frozenset(one.task for one in some)
            known.append(self._kinds.setdefault(tasks, tasks))

    def __getitem__(self, place: int) -> Asked:
        """The user at a place, with the queries."""
        self._file.seek(self._starts[place])
        (user, items), queries = pickle.load(self._file)
        history = tuple(Interaction(*item) for item in items)
        return replace(user, history=history), tuple(Example(*query) for query in queries)

    def place(self, id: str) -> int:
        """Where a user is. KeyError for an unknown id."""
        return self._places[id]

    def user(self, id: str) -> User:
        """A user by id. KeyError for an unknown id."""
        return self[self.place(id)][0]

    def users(self, places: Sequence[int] | None = None) -> "StoredUsers":
        """The users at `places` (all by default), each read when it is asked for."""
        return StoredUsers(self, range(len(self)) if places is None else places)


class StoredUsers(Sequence[User]):
    """Some users of a store as a sequence: what a list of them would be, without holding them."""

    def __init__(self, store: UserStore, places: Sequence[int]) -> None:
        self._store, self._places = store, places

    def __len__(self) -> int:
        return len(self._places)

    @overload
    def __getitem__(self, index: int) -> User: ...
    @overload
    def __getitem__(self, index: slice) -> "StoredUsers": ...
    def __getitem__(self, index: int | slice) -> "User | StoredUsers":
        if isinstance(index, slice):
            return StoredUsers(self._store, self._places[index])
        return self._store[self._places[index]][0]

    @property
    def ids(self) -> list[str]:
        """The users' ids, without reading the users."""
        return [self._store.ids[place] for place in self._places]

    @property
    def does(self) -> list[frozenset[str | None]]:
        """The tasks of each user's items, without reading the users."""
        return [self._store.does[place] for place in self._places]

    @property
    def asks(self) -> list[frozenset[str | None]]:
        """The tasks that each user is asked, without reading the users."""
        return [self._store.asks[place] for place in self._places]


def stored(pairs: Iterable[tuple[User, Sequence[Example]]], directory: Path | None = None, most: int = 0) -> UserStore:
    """A store of the pairs, of at most `most` of them where it is not 0."""
    store = UserStore(directory)
    for user, queries in islice(pairs, most or None):
        store.add(user, queries)
    return store


def limited(pairs: Iterable[Asked], queries: int) -> Iterator[Asked]:
    """The pairs with the first `queries` queries of each task, over all users; who is asked nothing is left out.

    0 is no limit.
    """
    taken: Counter[str | None] = Counter()
    for user, asked in pairs:
        kept = []
        for query in asked:
            taken[query.task] += 1
            if not queries or taken[query.task] <= queries:
                kept.append(query)
        if kept:
            yield user, tuple(kept)
