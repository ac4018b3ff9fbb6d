"""Counted profiles: CPU time a user, distinct texts, which ranking finds the next choice, what norms give.

The people are the demo's, and for the ranking simulated: eight labels in an order of the user's own, two or three on
offer, the best of them chosen, one time in ten any. A statistic's guess is its best label of the next offer.
Run: python benchmarks/profiles.py [--users 1500].
"""

import argparse
import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from statistics import fmean

from table import Row, show

from tailorlm.assembly.profilers import learn, make
from tailorlm.assembly.recipes import ProfileSettings
from tailorlm.data.records import User
from tailorlm.demo.population import population
from tailorlm.profiles.leaning import leaning
from tailorlm.profiles.norms import fit_norms
from tailorlm.profiles.number import number
from tailorlm.profiles.preference import scores
from tailorlm.profiles.ranking import Choice, expected_places

LABELS = tuple("abcdefgh")
ITEMS = (6, 8, 10)
AHEAD = 30


def choices(rng: random.Random) -> Iterator[Choice]:
    """One user's choices, without end."""
    ranking = rng.sample(LABELS, len(LABELS))
    while True:
        offered = rng.sample(LABELS, rng.choice((2, 3)))
        best = min(offered, key=ranking.index)
        yield rng.choice(offered) if rng.random() < 0.1 else best, frozenset(offered)


def rates(made: Sequence[Choice]) -> Mapping[str, float]:
    """How often each label was chosen when on offer; one half where it never was."""
    shown = {label: [label == chosen for chosen, offered in made if label in offered] for label in LABELS}
    return {label: fmean(found) if found else 0.5 for label, found in shown.items()}


def balance(made: Sequence[Choice]) -> Mapping[str, float]:
    """Times that each label won less times that it lost."""
    return {label: sum(2 * (label == c) - 1 for c, offered in made if label in offered) for label in LABELS}


def places(made: Sequence[Choice]) -> Mapping[str, float]:
    """The exact posterior mean place, less is better, so negated."""
    return {label: -place for label, place in expected_places(made, LABELS).items()}


STATISTICS: dict[str, Callable[[Sequence[Choice]], Mapping[str, float]]] = {
    "rate when on offer": rates, "wins less losses": balance, "Luce, Gaussian prior": scores, "exact posterior": places,
}  # fmt: skip


def right(found: Mapping[str, float], later: Sequence[Choice], rng: random.Random) -> float:
    """The share of later choices whose label the statistic puts first; ties are drawn."""

    def best(offered: frozenset[str]) -> str:
        return max(sorted(offered), key=lambda label: (round(found.get(label, 0.0), 9), rng.random()))

    return fmean(best(offered) == chosen for chosen, offered in later)


def rankings(users: int) -> None:
    """A line a number of items, a share a statistic."""
    print(f"next choice found, {users} users, {AHEAD} choices each:")
    for items in ITEMS:
        rng, hits = random.Random(items), {name: list[float]() for name in STATISTICS}
        for _ in range(users):
            stream = choices(rng)
            seen, later = [next(stream) for _ in range(items)], [next(stream) for _ in range(AHEAD)]
            for name, statistic in STATISTICS.items():
                hits[name].append(right(statistic(seen), later, rng))
        print(f"  {items:>2} items  " + "  ".join(f"{name} {fmean(found):.3f}" for name, found in hits.items()))


def ratings(train: Sequence[User], test: Sequence[User]) -> None:
    """1 - MAE/4 of each test user's last rating: from offset and stretch under norms, and from the mean."""
    norms = fit_norms(user.history for user in train)["rating"]
    middle, close, plain = (norms.low + norms.high) / 2, list[float](), list[float]()
    for user in test:
        rated = [(norms.expected(i.input), v) for i in user.history if i.task == "rating" and (v := number(i.output))]
        if len(rated) < 3:
            continue
        (*past, (next_expected, next_given)) = rated
        offset, stretch = leaning([e for e, _ in past], [v for _, v in past], norms.low, norms.high)
        guess = middle + 2**stretch * (next_expected - middle) + offset
        close.append(abs(min(norms.high, max(norms.low, guess)) - next_given))
        plain.append(abs(fmean(v for _, v in past) - next_given))
    print(f"next rating of {len(close)} users, 1 - MAE/4: with norms {1 - fmean(close) / 4:.3f}, "
          f"the mean rating {1 - fmean(plain) / 4:.3f}")  # fmt: skip


def texts(train: Sequence[User]) -> None:
    """Distinct texts of three random cuts a user, each training user with the norms of the others."""
    settings, rng = ProfileSettings(norms=True), random.Random(0)
    profile = make(settings, learn(settings, train))
    cut = [User(u.id, u.history[: rng.randint(0, len(u.history))]) for u in train for _ in range(3)]
    said = {statement.text for one in profile(cut, None) for statement in one.statements}
    print(f"{len(cut)} cuts of {len(train)} users hold {len(said)} distinct texts")


def main() -> None:
    """Prints all four."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--users", type=int, default=1500)
    users = parser.parse_args().users
    train = [member.user for member in population("train", users, 0)]
    test = [member.user for member in population("random", users // 5, 0)]
    settings = ProfileSettings(norms=True)
    profile = make(settings, learn(settings, train))
    start = time.process_time()
    profile(test, None)
    spent = 1000 * (time.process_time() - start) / len(test)
    items = [len(user.history) for user in test]
    timed: Row = (
        "a counted profile",
        f"CPU time, {len(test)} users of {min(items)} to {max(items)} items",
        spent,
        None,
    )
    show([timed], "none", 1, "ms")
    texts(train)
    ratings(train, test)
    rankings(users)


if __name__ == "__main__":
    main()
