"""The users of an evaluation, on disk: who trains, who is kept for validation, who is asked what.

The same users as datasets.py gives, streamed: a user is in memory while somebody looks. Knows nothing of models.
Source: issue 4 (20,000 users with histories of 200 items in bounded memory).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tailorlm.assembly.datasets import held_ids, lengthened, split_off, where
from tailorlm.assembly.recipes import DataSettings, Recipe
from tailorlm.assembly.store import Asked, StoredUsers, UserStore, limited, stored
from tailorlm.data.load import stream
from tailorlm.data.problems import Report
from tailorlm.data.records import Example, User

DEV = "dev"


@dataclass(frozen=True)
class Population:
    """Training users, those of them kept for validation, and by split those who are asked, with their queries."""

    train: StoredUsers
    held: StoredUsers
    splits: Mapping[str, UserStore]
    report: Report


def population(recipe: Recipe, directory: Path | None = None) -> Population:
    """Everybody of a recipe; `directory` is where the nameless files lie.

    ValueError where nobody trains, nobody is asked, or somebody does both.
    """
    report = Report()
    data, seed = recipe.data, recipe.seed
    whole = stored(_read(data, data.train, data.train_split, report), directory)
    kept = frozenset() if data.dev is not None else held_ids(whole.ids, data.holdout, seed)
    train = stored(_trained(whole, kept, data), directory, data.users)
    dev = stored(limited(_dev(whole, kept, data, report), recipe.eval.limit), directory, data.dev_users)
    check(train, dev, data)
    sides = _validation(train, data.validation, seed)
    return Population(*sides, {DEV: dev}, report)


def check(train: UserStore, dev: UserStore, data: DataSettings) -> None:
    """ValueError where a side is empty, or a user is on both."""
    if not any(user.history for user in train.users()):
        raise ValueError(f"{where(data, data.train)}: no training user has any history")
    if not len(dev):
        raise ValueError(f"{where(data, data.dev or '')}: no dev user has a query with an answer")
    both = sorted(set(train.ids) & set(dev.ids))
    if both:
        raise ValueError(f"{len(both)} users are in training and dev, {both[0]!a} is the first: name other files")


def _trained(whole: UserStore, kept: frozenset[str], data: DataSettings) -> Iterator[Asked]:
    """Who trains: with the answered queries as items where the recipe says so."""
    for place, id in enumerate(whole.ids):
        if id not in kept:
            user, queries = whole[place]
            yield lengthened(user, answered(queries)) if data.queries else user, ()


def _dev(whole: UserStore, kept: frozenset[str], data: DataSettings, report: Report) -> Iterator[Asked]:
    """Who is asked: of a file of their own, or kept of the training file."""
    if data.dev is not None:
        pairs: Iterator[Asked] = _read(data, data.dev, data.dev_split, report)
    else:
        pairs = (whole[place] for place, id in enumerate(whole.ids) if id in kept)
    for user, queries in pairs:
        asked, own = split_off(user, answered(queries), data.held)
        yield asked, tuple(own)


def _validation(train: UserStore, share: float, seed: int) -> tuple[StoredUsers, StoredUsers]:
    """As datasets.validation_users, by places."""
    held = held_ids(train.ids, share, seed, "validation") if share else frozenset()
    rest = train.users([place for place, id in enumerate(train.ids) if id not in held])
    return rest, train.users([place for place, id in enumerate(train.ids) if id in held])


def answered(queries: tuple[Example, ...]) -> list[Example]:
    """The queries that have an answer."""
    return [query for query in queries if query.target is not None]


def _read(
    data: DataSettings, path: str, split: str | None, report: Report
) -> Iterator[tuple[User, tuple[Example, ...]]]:
    return stream(where(data, path), data.on_error, report, split)
