"""The users of a recipe: who trains, who is asked, and what, where two files or a share divide them.

What divides everybody's time ([data] protocol = "time") or users by what they are ([data.split]) is population.py's,
and refused here. Knows readers and cut points; nothing of models. No dev user's record reaches training, and what a dev
user is asked is never in the history that goes with it. Source: design section 2 (cut points).
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path

from tailorlm.assembly.recipes import DataSettings
from tailorlm.data.cuts import Cut, seen, targets
from tailorlm.data.load import load
from tailorlm.data.problems import Report
from tailorlm.data.records import Dataset, Example, Interaction, User
from tailorlm.plugins import find, names
from tailorlm.tasks.task import Pool, Task

PLAIN = "plain"


@dataclass(frozen=True)
class People:
    """Training users; dev users with the queries asked of them; what reading the files reported."""

    train: list[User]
    dev: list[User]
    queries: list[Example]
    report: Report = field(default_factory=Report)


@lru_cache
def task_of(name: str | None) -> Task:
    """The task of that name; the user's own, which no file knows, is worded and scored as `plain`."""
    if name is not None and name in names("tasks"):
        known: Task = find("tasks", name).TASK
        return known
    plain: Task = find("tasks", PLAIN).TASK
    return replace(plain, name=name or PLAIN)


def training_users(settings: DataSettings, seed: int) -> tuple[list[User], Report]:
    """The users to train on; ValueError where none has an item."""
    _check_simple(settings)
    report = Report()
    dataset = _load(settings, settings.train, settings.train_split, report)
    users = list(dataset.users.values())
    if settings.dev is None:
        users, _ = hold_out(users, settings.holdout, seed)
    if settings.queries:
        answered = asked(dataset)
        users = [lengthened(user, answered.get(user.id, [])) for user in users]
    users = users[: settings.users or None]
    if not any(user.history for user in users):
        raise ValueError(f"{where(settings, settings.train)}: no training user has any history")
    return users, report


def dev_users(settings: DataSettings, seed: int) -> People:
    """The dev users, with queries that have answers; ValueError where there is none, or a user trains too."""
    _check_simple(settings)
    report = Report()
    own = settings.dev is not None
    dataset = _load(
        settings,
        settings.dev if settings.dev is not None else settings.train,
        settings.dev_split if own else settings.train_split,
        report,
    )
    users = list(dataset.users.values())
    users = users if own else hold_out(users, settings.holdout, seed)[1]
    answered = asked(dataset)
    found = [split_off(user, answered.get(user.id, []), settings.held) for user in users]
    kept = [(user, queries) for user, queries in found if queries][: settings.dev_users or None]
    if not kept:
        raise ValueError(f"{where(settings, settings.dev or '')}: no dev user has a query with an answer")
    return People([], [user for user, _ in kept], [query for _, queries in kept for query in queries], report)


def people(settings: DataSettings, seed: int) -> People:
    """Training and dev users. ValueError names the first user who is in both."""
    train, report = training_users(settings, seed)
    dev = dev_users(settings, seed)
    both = sorted({user.id for user in train} & {user.id for user in dev.dev})
    if both:
        raise ValueError(f"{len(both)} users are in training and dev, {both[0]!a} is the first: name other files")
    report.notes.update(dev.report.notes)
    return replace(dev, train=train, report=report)


def _check_simple(settings: DataSettings) -> None:
    """ValueError where the users are divided in a way that lists of them do not know."""
    if settings.protocol != "user" or settings.split.kind != "none":
        raise ValueError(
            f"data.protocol is {settings.protocol!r} and data.split.kind {settings.split.kind!r}: expected 'user' and "
            "'none' here; tailorlm.assembly.population divides users by the others"
        )


def validation_users(users: Sequence[User], share: float, seed: int) -> tuple[list[User], list[User]]:
    """(who is trained on, who is evaluated meanwhile): a seeded share of training users, nobody where it is 0.

    ValueError where nobody with a history is left on a side.
    """
    if share == 0:
        return list(users), []
    sides = hold_out(users, share, seed, "validation")
    if not all(any(user.history for user in side) for side in sides):
        found = f"{len(sides[0])} users to train on and {len(sides[1])} for validation"
        raise ValueError(f"data.validation is {share}: of {found}, one side has no history; give more users")
    return sides


def hold_out(users: Sequence[User], share: float, seed: int, name: str = "holdout") -> tuple[list[User], list[User]]:
    """(the rest, a seeded share of at least one user), each in the given order; one user's draw is its own.

    Draws of different names are independent.
    """
    held = held_ids([user.id for user in users], share, seed, name)
    return [user for user in users if user.id not in held], [user for user in users if user.id in held]


def held_ids(ids: Sequence[str], share: float, seed: int, name: str = "holdout") -> frozenset[str]:
    """A seeded share of the ids, at least one."""
    drawn = {id: random.Random(f"{seed}/{name}/{id}").random() for id in ids}
    return frozenset(sorted(drawn, key=lambda id: (drawn[id], id))[: max(1, round(share * len(ids)))])


def pools(users: Sequence[User]) -> dict[str | None, tuple[Interaction, ...]]:
    """Training users' items of the tasks whose pairs need other users' items (LaMP-1's negatives); others need none."""
    tasks = {item.task: task_of(item.task).others for user in users for item in user.history}
    needy = {item.task for user in users for item in user.history if tasks[item.task] or not _alone(item)}
    found: dict[str | None, list[Interaction]] = {task: [] for task in needy}
    for user in users if needy else ():
        for item in user.history:
            if item.task in needy:
                found[item.task].append(item)
    return {task: tuple(items) for task, items in found.items()}


def _alone(item: Interaction) -> bool:
    """Whether the item makes its pair, or none, without other users' items."""
    try:
        task_of(item.task).pair(item, Pool(), random.Random(0))
    except ValueError:
        return False
    return True


def asked(dataset: Dataset) -> dict[str, list[Example]]:
    """The queries that have an answer, by user."""
    found: dict[str, list[Example]] = {}
    for query in dataset.examples:
        if query.target is not None:
            found.setdefault(query.user_id, []).append(query)
    return found


def lengthened(user: User, queries: Sequence[Example]) -> User:
    """The history with the answered queries after it, those that their task would ask in the same words."""
    items = [item for query in queries if (item := as_item(query)) is not None]
    if all(item.time is not None for item in items):
        items.sort(key=lambda item: item.time or 0.0)
    return replace(user, history=(*user.history, *items))


def as_item(query: Example) -> Interaction | None:
    """The interaction whose training pair is this very query, or None where the task has no such form."""
    task = task_of(query.task)
    for said in (query.input, task.prompt(query.input).body):
        item = Interaction(said, query.target or "", query.time, query.task, asked=True)
        if _pair(task, item) == (query.input, query.target):
            return item
    return None


def split_off(user: User, queries: Sequence[Example], held: int) -> tuple[User, list[Example]]:
    """The user's own queries; without any, the last `held` items, taken out of the history."""
    if queries or held == 0 or not user.history:
        return user, list(queries)
    cut = Cut(user.id, max(0, len(user.history) - held))
    return replace(user, history=seen(user, cut)), _questions(targets(user, cut), user.history[cut.position :])


def _questions(examples: Sequence[Example], items: Sequence[Interaction]) -> list[Example]:
    """The examples in the words in which their task asks; those that make no question are left out."""
    pairs = [(example, _pair(task_of(item.task), item)) for example, item in zip(examples, items, strict=True)]
    return [replace(example, input=pair[0], target=pair[1]) for example, pair in pairs if pair is not None]


def _pair(task: Task, item: Interaction) -> tuple[str, str] | None:
    try:
        return task.pair(item, Pool(), random.Random(0))
    except ValueError:  # a task whose items make no pair on their own (lamp_1)
        return None


def _load(settings: DataSettings, path: str, split: str | None, report: Report) -> Dataset:
    return load(where(settings, path), settings.on_error, report, split)


def where(settings: DataSettings, path: str) -> Path:
    if not (settings.root or path):
        raise ValueError("data.root and data.train are empty: name the users' file in the recipe, or give --data")
    return Path(settings.root) / path if path else Path(settings.root)
