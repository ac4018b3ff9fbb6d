"""Cut points: where a user's history is cut into what a profile may see and what is to be answered.

Knows nothing of profiles and models. Source: design section 2 (cut points); P2P section 3.2 (x_u, y_u after
H_u). This is the only way in which a history makes training data, so that no summary has seen its target.
"""

from dataclasses import dataclass
from random import Random

from .records import Example, Interaction, User


@dataclass(frozen=True, slots=True, order=True)
class Cut:
    """`history[:position]` is seen, `history[position:]` are targets."""

    user_id: str
    position: int


def sample_cuts(user: User, count: int, minimum: int, rng: Random) -> tuple[Cut, ...]:
    """`count` different cuts drawn evenly, in order; all there are where there are fewer.

    A cut leaves at least `minimum` items to see (0 trains the profile of an empty history) and one to answer;
    a user with `minimum` items or fewer has none. Raises ValueError where `count` or `minimum` is negative.
    """
    if count < 0 or minimum < 0:
        raise ValueError(f"count is {count} and minimum is {minimum}; neither may be negative")
    positions = range(minimum, len(user.history))
    drawn = rng.sample(positions, min(count, len(positions)))
    return tuple(Cut(user.id, position) for position in sorted(drawn))


def seen(user: User, cut: Cut) -> tuple[Interaction, ...]:
    """What a profile, a retrieval or a pair may use at this cut."""
    return user.history[: _checked(user, cut)]


def targets(user: User, cut: Cut) -> tuple[Example, ...]:
    """The items from the cut on as examples with the ids `{user}@{index in the history}`; never empty."""
    position = _checked(user, cut)
    return tuple(_example(user, n) for n in range(position, len(user.history)))


def _example(user: User, n: int) -> Example:
    item = user.history[n]
    return Example(f"{user.id}@{n}", user.id, item.task, item.input, item.output, item.time)


def _checked(user: User, cut: Cut) -> int:
    if cut.user_id != user.id:
        raise ValueError(f"a cut of user {cut.user_id!a} was used on user {user.id!a}")
    if not 0 <= cut.position < len(user.history):
        raise ValueError(f"cut at {cut.position} of user {user.id!a}; their history has {len(user.history)} items")
    return cut.position
