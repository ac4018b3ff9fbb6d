"""Digests of people: the same for the same in any order, others for whatever differs; one user in memory at a time."""

from collections.abc import Iterator
from dataclasses import replace

from tailorlm.assembly.people import digest_of, digest_of_all
from tailorlm.data.records import Interaction, User

ITEM = Interaction("asked", "said", 1.0, "headline")
ANN = User("ann", (ITEM, replace(ITEM, time=2.0)), "likes maps")
BOB = User("bob", ())


def test_whatever_differs_is_told_apart() -> None:
    others = [
        replace(ANN, id="anne"), replace(ANN, profile=None), replace(ANN, history=ANN.history[::-1]),
        replace(ANN, history=ANN.history[:1]),
        *(replace(ANN, history=(replace(ITEM, **{name: value}), ANN.history[1])) for name, value in (
            ("input", "other"), ("output", "other"), ("time", None), ("task", None))),
    ]  # fmt: skip
    assert len({digest_of(user) for user in (ANN, *others)}) == 1 + len(others)
    assert digest_of(User("a", (Interaction("bc", "d"),))) != digest_of(User("a", (Interaction("b", "cd"),)))
    assert digest_of(User("\ud800", ())) != digest_of(BOB)  # a lone surrogate is a text, too


def test_the_order_of_users_says_nothing_and_who_is_missing_does() -> None:
    assert digest_of_all([ANN, BOB]) == digest_of_all([BOB, ANN])
    assert len({digest_of_all(users) for users in ([ANN, BOB], [ANN], [BOB], [], [ANN, BOB, BOB])}) == 5


def test_users_are_looked_at_one_by_one() -> None:
    def people() -> Iterator[User]:
        yield from (User(str(number), (ITEM,) * 3) for number in range(50))

    assert digest_of_all(people()) == digest_of_all(list(people()))
