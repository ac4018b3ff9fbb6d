"""Wrong profiles for ablations, chosen when users are asked, never in training: what P2P loses without the right one.

    drawn(profiles, training, seed)      another TRAINING user's profile of the same task
    shuffled(profiles, seed)             another user's of the same task, each profile used once
    across_tasks(profiles, seed)         another user's of another task, each profile used once
    words_shuffled(profiles, seed)       the user's own words in another order
    mean_vectors(vectors, mask)          the mean vector of training users, for everybody

A wrong profile keeps the user and task that it is given to, so that the adapter made of it is asked for in their name.
Knows nothing of networks or encoders. Source: P2P section 5, table 5 (random and shuffled profiles); issue 3.
"""

import random
from collections.abc import Hashable, Sequence
from dataclasses import replace

from torch import Tensor

from tailorlm.profiles.profile import Profile

ATTEMPTS = 100
Pair = tuple[str, str | None]
"""(user id, task)"""


def drawn(profiles: Sequence[Profile], training: Sequence[Profile], seed: int) -> list[Profile]:
    """Each user's (N), by the seed, user and task alone, and never an own one. ValueError where none is left."""
    by_task: dict[str | None, list[Profile]] = {}
    for profile in training:
        by_task.setdefault(profile.task, []).append(profile)
    found = []
    for profile in profiles:
        others = [other for other in by_task.get(profile.task, []) if other.user_id != profile.user_id]
        if not others:
            raise ValueError(f"no other training user has a profile of task {profile.task!r}: nothing to draw from")
        found.append(lent(random.Random(f"{seed}/drawn/{profile.user_id}/{profile.task}").choice(others), profile))
    return found


def shuffled(profiles: Sequence[Profile], seed: int) -> list[Profile]:
    """A permutation (N) in which nobody keeps an own profile, task by task. ValueError where none exists."""
    taken: dict[int, int] = {}
    for task in dict.fromkeys(profile.task for profile in profiles):
        rows = [n for n, profile in enumerate(profiles) if profile.task == task]
        order = deranged([profiles[n].user_id for n in rows], seed)
        taken.update({rows[n]: rows[other] for n, other in enumerate(order)})
    return [lent(profiles[taken[n]], profile) for n, profile in enumerate(profiles)]


def deranged(owners: Sequence[Hashable], seed: int | str) -> list[int]:
    """A seeded permutation (N) that gives no place to one of the same owner. ValueError where one has over half."""
    dice = random.Random(f"{seed}/deranged")
    names = list(dict.fromkeys(owners))
    dice.shuffle(names)
    places = {name: [n for n, owner in enumerate(owners) if owner == name] for name in names}
    most = max((len(own) for own in places.values()), default=0)
    if 2 * most > len(owners):
        raise ValueError(f"{most} of {len(owners)} profiles are of one user or one task: they cannot all go to another")
    for own in places.values():
        dice.shuffle(own)
    line = [n for own in places.values() for n in own]
    # A step of the largest group's size leaves every group, and from its end comes back before the group begins.
    step = dice.randint(most, len(line) - most) if line else 0
    return [line[(at + step) % len(line)] for _, at in sorted((n, at) for at, n in enumerate(line))]


def across_tasks(profiles: Sequence[Profile], seed: int) -> list[Profile]:
    """A permutation (N) that gives everybody another user's profile of another task. ValueError where none is found."""
    order = crossed([(profile.user_id, profile.task) for profile in profiles], seed)
    return [lent(profiles[other], profile) for other, profile in zip(order, profiles, strict=True)]


def crossed(pairs: Sequence[Pair], seed: int) -> list[int]:
    """A seeded permutation (N) in which each place gets one of another user and another task.

    ValueError where none is found.
    """
    for attempt in range(ATTEMPTS):
        order = deranged([task for _, task in pairs], f"{seed}/{attempt}")
        if exchanged(pairs, order, random.Random(f"{seed}/{attempt}/exchanged")):
            return order
    users, tasks = ({pair[part] for pair in pairs} for part in (0, 1))
    raise ValueError(
        f"{len(pairs)} profiles of {len(users)} users and {len(tasks)} tasks: found no way for each to go to "
        "another user and another task; give more of both"
    )


def exchanged(pairs: Sequence[Pair], order: list[int], dice: random.Random) -> bool:
    """Whether exchanges in `order` (N), made in place, leave nobody with an own profile or one of the same task."""
    for place in range(len(order)):
        if strange(pairs[place], pairs[order[place]]):
            continue
        for other in dice.sample(range(len(order)), len(order)):
            mine, theirs = pairs[order[other]], pairs[order[place]]
            if strange(pairs[place], mine) and strange(pairs[other], theirs):
                order[place], order[other] = order[other], order[place]
                break
        else:
            return False
    return True


def strange(one: Pair, other: Pair) -> bool:
    """Whether both the users and the tasks differ."""
    return one[0] != other[0] and one[1] != other[1]


def words_shuffled(profiles: Sequence[Profile], seed: int) -> list[Profile]:
    """All words of each profile in another order, over the statements as long as they were; seeded by user and task."""
    return [_in_disorder(profile, random.Random(f"{seed}/{profile.user_id}/{profile.task}")) for profile in profiles]


def _in_disorder(profile: Profile, dice: random.Random) -> Profile:
    said = [statement.text.split() for statement in profile.statements]
    words = [word for text in said for word in text]
    mixed = list(words)
    while len(set(words)) > 1 and mixed == words:
        dice.shuffle(mixed)
    rest = iter(mixed)
    texts = [" ".join(next(rest) for _ in text) for text in said]
    pairs = zip(profile.statements, texts, strict=True)
    return replace(profile, statements=tuple(replace(old, text=text) for old, text in pairs))


def mean_vectors(vectors: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """Of training users' vectors (N, K, E), mask (N, K), each slot's mean over those who have it: (1, K, E), (1, K).

    A slot that nobody has is missing. For a set, whose slots mean nothing, give it as (N K, 1, E).
    """
    count = mask.sum(0)[:, None]
    mean = (vectors * mask[..., None]).sum(0) / count.clamp_min(1)
    return mean[None], (count > 0).T


def lent(profile: Profile, to: Profile) -> Profile:
    """What `profile` says, in the name of the user and task of `to`."""
    return replace(profile, user_id=to.user_id, task=to.task)
