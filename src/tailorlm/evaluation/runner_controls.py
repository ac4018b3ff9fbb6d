"""Controls: what a method loses when users are enrolled with a wrong profile, at evaluation, never in training.

    shuffled         everybody as another user of the split who is asked the same tasks, each as one
    drawn            everybody as another training user with items of the same tasks, drawn by seed and id
    across_tasks     with another user's profile of another task, each profile used once
    words_shuffled   with the words of the own profile in another order
    mean_vector      with the mean of training users' vectors: the same adapter for everybody

Knows nothing of sources. Contexts keep showing the right user's. Source: P2P section 5, table 5; issue 3.
"""

import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from tailorlm.assembly.remembered import Fitted
from tailorlm.assembly.store import StoredUsers, UserStore
from tailorlm.data.records import Interaction, User
from tailorlm.methods.p2p_controls import crossed, lent, words_shuffled
from tailorlm.methods.source import AdapterSource, Roster, Training
from tailorlm.profiles.profile import Profile

Change = Callable[[Profile], Profile]
"""What is done to a profile."""
LENDING = ("shuffled", "drawn")
"""Controls that enrol everybody with somebody else's history."""
Pair = tuple[str, str | None]
"""(user id, task)"""
MOST = 1000
"""Training users of whom the mean is made at most."""


@dataclass(frozen=True)
class Control:
    """One of the controls, "" for none, at work on the users of a split; `changed`: whose profiles it has been.

    `able`: by the tasks that a user is asked, the places of the training users who have items of them.
    """

    name: str
    split: UserStore
    training: StoredUsers
    seed: int
    changed: set[str] = field(default_factory=set)
    able: dict[frozenset[str | None], list[int]] = field(default_factory=dict)

    def users(self, users: Iterable[User]) -> list[User]:
        """The users as they are enrolled: under their own ids, with their own history or somebody else's.

        ValueError where there is nobody else.
        """
        if self.name == "shuffled":
            after = stand_ins(dict(zip(self.split.ids, self.split.asks, strict=True)), self.seed)
            return [replace(self.split.user(after[user.id]), id=user.id) for user in users]
        if self.name == "drawn":
            return [replace(self._drawn(user), id=user.id) for user in users]
        return list(users)

    def lenders(self, users: Iterable[User]) -> list[User]:
        """Who else's profiles will be asked for."""
        if self.name != "across_tasks":
            return []
        own = {user.id for user in users}
        others = dict.fromkeys(lender for (id, _), (lender, _) in self.crossing.items() if id in own)
        return [self.split.user(id) for id in others if id not in own]

    def change(self, profile: Fitted) -> Change:
        """What is done to each profile that `profile` makes."""
        if self.name not in ("words_shuffled", "across_tasks"):
            return unchanged

        def changed(found: Profile) -> Profile:
            self.changed.add(found.user_id)
            return (
                words_shuffled([found], self.seed)[0] if self.name == "words_shuffled" else self._lent(found, profile)
            )

        return changed

    def enrol(
        self, source: AdapterSource, users: Sequence[User], tasks: Sequence[str], directory: Path | None = None
    ) -> Roster:
        """The users' adapters; training that was stopped goes on in `directory`.

        ValueError where the control would change nothing of this source.
        """
        if self.name == "mean_vector":
            mean = getattr(source, "enrol_mean", None)
            if mean is None:
                raise ValueError(f'control "mean_vector": {type(source).__module__} makes no adapters of vectors')
            roster: Roster = mean(self._some(), users, tasks)
            return roster
        if directory is not None and isinstance(source, Training):
            found = source.enrol(users, tasks, directory=directory)
        else:
            found = source.enrol(users, tasks)
        if self.name in ("words_shuffled", "across_tasks") and not self.changed:
            raise ValueError(
                f'control "{self.name}" changes profiles, and this source read none: choose "shuffled" or "drawn"'
            )
        if self.name in LENDING:  # what is lent is searched for each query, whenever it was
            return replace(found, histories={id: untimed(items) for id, items in found.histories.items()})
        return found

    @cached_property
    def crossing(self) -> Mapping[Pair, Pair]:
        """Whose profile of which task each user has for each task that is asked. ValueError where no way is found."""
        asked = zip(self.split.ids, self.split.asks, strict=True)
        pairs = [(id, task) for id, tasks in asked for task in sorted(tasks, key=str)]
        return {pair: pairs[other] for pair, other in zip(pairs, crossed(pairs, self.seed), strict=True)}

    def _lent(self, found: Profile, profile: Fitted) -> Profile:
        """Another user's of another task; for one that is about all tasks, of a user who is asked another task."""
        asked = self.split.asks[self.split.place(found.user_id)]
        if found.task is None and len(asked) > 1:
            raise ValueError(
                f'control "across_tasks": user {found.user_id!a} is asked {len(asked)} tasks and has one profile of '
                'all: set the source\'s scope to "task"'
            )
        [task] = [found.task] if found.task is not None else asked
        if (found.user_id, task) not in self.crossing:
            return found  # nobody asks this user that task
        lender, other = self.crossing[found.user_id, task]
        history = self.split.user(lender).history
        return lent(profile.plain(lender, history, None if found.task is None else other), found)

    def _drawn(self, user: User) -> User:
        asked = self.split.asks[self.split.place(user.id)]
        if asked not in self.able:
            self.able[asked] = [place for place, does in enumerate(self.training.does) if asked <= does]
        others = [place for place in self.able[asked] if self.ids[place] != user.id]
        if not others:
            raise ValueError(
                f'control "drawn": no other training user than {user.id!a} has items of all the tasks that this user '
                f"is asked ({', '.join(sorted(map(str, asked)))})"
            )
        return self.training[random.Random(f"{self.seed}/drawn/{user.id}").choice(others)]

    @cached_property
    def ids(self) -> list[str]:
        """The training users'."""
        return self.training.ids

    def _some(self) -> list[User]:
        """Training users by lot, of whom the mean is made."""
        count = min(len(self.training), MOST)
        places = random.Random(f"{self.seed}/mean").sample(range(len(self.training)), count)
        return [self.training[place] for place in sorted(places)]


def unchanged(found: Profile) -> Profile:
    """The profile as it is."""
    return found


def untimed(items: Sequence[Interaction]) -> tuple[Interaction, ...]:
    """The items without their times: of whoever lends them all are searched, also those later than the query."""
    return tuple(replace(item, time=None) for item in items)


def stand_ins(asks: Mapping[str, frozenset[str | None]], seed: int) -> dict[str, str]:
    """Everybody's stand-in: in one seeded cycle all who are asked the same tasks; whom nobody is like, in one of such.

    ValueError for fewer than two users.
    """
    if len(asks) < 2:
        raise ValueError('the control "shuffled" needs at least two users')
    order = sorted(asks)
    random.Random(f"{seed}/derangement").shuffle(order)
    alike: dict[frozenset[str | None], list[str]] = {}
    for id in order:
        alike.setdefault(asks[id], []).append(id)
    cycles = [ids for ids in alike.values() if len(ids) > 1]
    odd = [ids[0] for ids in alike.values() if len(ids) == 1]
    if len(odd) == 1:
        cycles[0].extend(odd)
    elif odd:
        cycles.append(odd)
    return {id: after for ids in cycles for id, after in zip(ids, ids[1:] + ids[:1], strict=True)}
