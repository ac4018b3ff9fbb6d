"""Who may be on both sides of an evaluation: nobody ([data] protocol = "user"), or each with the past ("time").

"user": people are divided; a person in training and dev is refused. "time": a person's time is divided; who is asked
trains, too, with what is strictly before the first question. A person is known by the id; where only histories name
users (data/gather.py), also by a history that holds all of another's: in LaMP's files by time a person has another id
at every question. Knows nothing of files and models. Source: LaMP (Salemi et al., 2024), user-based and time-based
separation.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from tailorlm.assembly.store import Asked, UserStore
from tailorlm.data.fields import DAY
from tailorlm.data.gather import BY_HISTORY
from tailorlm.data.problems import Report
from tailorlm.data.records import Example, Interaction, User

ENOUGH = 5
"""Items that two histories have to share before they are one person's: co-authors share a paper or two."""
LEFT_OUT = "training items at or after a dev query"
Key = tuple[str, str, str | None]


def check_apart(train: Sequence[User], ids: Sequence[str], dev: UserStore) -> None:
    """ValueError where somebody of the training users (`ids` are theirs) is asked, too."""
    how = 'name other files, or set data.protocol = "time" where the files divide time'
    both = sorted(set(ids) & set(dev.ids))
    if both:
        raise ValueError(f"{len(both)} users are in training and dev, {both[0]!a} is the first: {how}")
    for one, place in same_people(train, ids, dev, ENOUGH):
        raise ValueError(
            f"training user {ids[one]!a} and dev user {dev.ids[place]!a} are named by their histories, and all items "
            f"of one are the other's, too: they look like one person: {how}"
        )


def earlier(train: UserStore, raw: Sequence[User], dev: UserStore, report: Report) -> Iterator[Asked]:
    """The training users, of whom is asked, too, with the items strictly before the first question.

    `raw`: the same users as the file has them. What is left out is counted in the report's notes.
    """
    asked: dict[int, list[int]] = {}
    for one, place in _linked(train, raw, dev):
        asked.setdefault(one, []).append(place)
    for one in range(len(train)):
        user = train[one][0]
        kept = user.history
        for place in asked.get(one, ()):
            kept = _before(kept, *dev[place])
        for _ in range(len(user.history) - len(kept)):
            report.note(LEFT_OUT)
        yield replace(user, history=kept), ()


def _linked(train: UserStore, raw: Sequence[User], dev: UserStore) -> Iterator[tuple[int, int]]:
    there = {id: place for place, id in enumerate(dev.ids)}
    yield from ((one, there[id]) for one, id in enumerate(train.ids) if id in there)
    yield from same_people(raw, train.ids, dev, 1)


def _before(history: Sequence[Interaction], asked: User, queries: Sequence[Example]) -> tuple[Interaction, ...]:
    times = [query.time for query in queries if query.time is not None]
    first = min(times) if len(times) == len(queries) else None
    known = {key(item) for item in asked.history}
    return tuple(item for item in history if _is_before(item, first, key(item) in known))


def _is_before(item: Interaction, first: float | None, known: bool) -> bool:
    """Whether an item is strictly before the first question; `known`: the question's own history holds it.

    What it does not hold may be the very thing that is asked, dated like it: its day has to be an earlier one.
    """
    if item.time is None or first is None:
        return known
    return item.time < (first if known else first - first % DAY)


def same_people(train: Sequence[User], ids: Sequence[str], dev: UserStore, least: int) -> Iterator[tuple[int, int]]:
    """(place in train, place in dev) of pairs with different ids, one of them by history, where the items of one, at
    least `least`, are all the other's.
    """
    if not any(id.startswith(BY_HISTORY) for id in (*ids, *dev.ids)):
        return
    ends = _by_last_item(train)
    for place, user in enumerate(dev.users()):
        yield from ((one, place) for one in _within(user, ends, train, ids, least) if ids[one] != user.id)
    ends = _by_last_item(dev.users())
    for one, user in enumerate(train):
        smaller = _within(user, ends, dev.users(), dev.ids, least)
        yield from ((one, place) for place in smaller if dev.ids[place] != user.id)


def _by_last_item(users: Sequence[User]) -> Mapping[int, list[int]]:
    """Users' places by a hash of the last item of each: whoever holds all of a user's items holds that one."""
    found: dict[int, list[int]] = {}
    for place, user in enumerate(users):
        if user.history:
            found.setdefault(hash(key(user.history[-1])), []).append(place)
    return found


def _within(
    user: User, ends: Mapping[int, list[int]], others: Sequence[User], ids: Sequence[str], least: int
) -> Iterator[int]:
    """The places of the others all of whose items are the user's."""
    keys = {key(item) for item in user.history}
    places = {place for one in keys for place in ends.get(hash(one), ())}
    for place in sorted(places):
        if user.id.startswith(BY_HISTORY) or ids[place].startswith(BY_HISTORY):
            theirs = {key(item) for item in others[place].history}
            if len(theirs) >= least and theirs <= keys:
                yield place


def key(item: Interaction) -> Key:
    """What an item is known by, whatever its time: copies of a file by user and by time date items differently."""
    return item.input, item.output, item.task
