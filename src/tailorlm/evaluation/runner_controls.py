"""Controls: what a method loses when users are enrolled with a wrong profile, at evaluation, never in training.

    shuffled         everybody as another user of the split: one seeded cycle through all of them
    drawn            everybody as a training user, drawn by seed and id
    words_shuffled   everybody with the words of the own profile in another order

Knows nothing of sources. Contexts keep showing the right user's. Source: P2P section 5, table 5.
"""

import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from tailorlm.assembly.store import StoredUsers, UserStore
from tailorlm.data.records import User
from tailorlm.methods.p2p_controls import words_shuffled
from tailorlm.profiles.profile import Profile


def enrolled_as(control: str, users: Iterable[User], split: UserStore, training: StoredUsers, seed: int) -> list[User]:
    """The users as they are enrolled: under their own ids, with their own history or somebody else's."""
    if control == "shuffled":
        after = cycle(split.ids, seed)
        return [replace(split.user(after[user.id]), id=user.id) for user in users]
    if control == "drawn":
        return [replace(training[_draw(user.id, len(training), seed)], id=user.id) for user in users]
    return list(users)


def altered(control: str, seed: int) -> Callable[[Profile], Profile]:
    """What is done to each profile."""
    if control != "words_shuffled":
        return lambda profile: profile
    return lambda profile: words_shuffled([profile], seed)[0]


def cycle(ids: Sequence[str], seed: int) -> dict[str, str]:
    """Everybody's stand-in: one seeded cycle through all users. ValueError for fewer than two."""
    if len(ids) < 2:
        raise ValueError('the control "shuffled" needs at least two users')
    order = sorted(ids)
    random.Random(f"{seed}/derangement").shuffle(order)
    return dict(zip(order, order[1:] + order[:1], strict=True))


def _draw(id: str, users: int, seed: int) -> int:
    return random.Random(f"{seed}/drawn/{id}").randrange(users)
