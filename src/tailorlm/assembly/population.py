"""The users of an evaluation, on disk: who trains, who is kept for validation, who is asked what.

The same users as datasets.py gives, streamed: a user is in memory while somebody looks. Knows nothing of models.
Source: issue 4 (20,000 users with histories of 200 items in bounded memory).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tailorlm.assembly import protocols
from tailorlm.assembly.compared import compared
from tailorlm.assembly.datasets import held_ids, lengthened, split_off, where
from tailorlm.assembly.recipes import DataSettings, Recipe, trained_on
from tailorlm.assembly.split_making import make
from tailorlm.assembly.splitting import DEV, asked, given, trains
from tailorlm.assembly.splitting import kept as saved
from tailorlm.assembly.store import Asked, StoredUsers, UserStore, limited, stored
from tailorlm.assembly.usable import watched
from tailorlm.data.load import stream
from tailorlm.data.problems import Report
from tailorlm.data.records import Example, User
from tailorlm.data.splits import Split


@dataclass(frozen=True)
class Group:
    """Users who are trained on together, and those of their file kept for validation."""

    train: Sequence[User]
    held: Sequence[User]


@dataclass(frozen=True)
class Population:
    """Training users, those of them kept for validation, and by split those who are asked, with their queries.

    `split` is how the training file's users were divided, where the recipe says so. `groups`: by file, the users that
    rows train on instead of `train`.
    """

    train: StoredUsers
    held: StoredUsers
    splits: Mapping[str, UserStore]
    report: Report
    split: Split | None = None
    groups: Mapping[str, Group] = field(default_factory=dict)


def population(recipe: Recipe, run: Path | None = None) -> Population:
    """Everybody of a recipe; the split is the one that the folder `run` began with, if it is there.

    ValueError where nobody trains, nobody is asked, or somebody does both.
    """
    names, report, data = asked(recipe), Report(), recipe.data
    directory = None if run is None else nearest(run)
    whole = stored(_read(data, data.train, data.train_split, report), directory)
    split = _split(recipe, whole, run)
    kept = _not_training(recipe, whole, split)
    everybody = None
    if data.protocol == "time":
        everybody = stored(_asked(recipe, whole, frozenset(whole.ids), DEV, Report()), directory)  # no limits
    held = frozenset(whole.ids) if data.protocol == "time" else kept
    parts = {name: _asked(recipe, whole, held if split is None else frozenset(split.parts.get(name, ())), name, report)
             for name in names}  # fmt: skip
    found = {
        name: stored(limited(pairs, recipe.eval.limit), directory, data.dev_users) for name, pairs in parts.items()
    }
    main = _group(recipe, data.train, whole, kept, everybody, found, report)
    groups = {}
    for path in sorted({trained_on(data, row) for row in compared(recipe.eval)} - {""}):
        file = stored(_read(data, path, data.train_split, report), directory)
        groups[path] = Group(*_group(recipe, path, file, frozenset(), everybody, found, report))
    return Population(*main, found, report, split, groups)


def _group(
    recipe: Recipe, path: str, file: UserStore, kept: frozenset[str], everybody: UserStore | None,
    splits: Mapping[str, UserStore], report: Report,
) -> tuple[StoredUsers, StoredUsers]:  # fmt: skip
    """(who is trained on, who is kept for validation) of a file, but the ids `kept`; `everybody`: who is asked by time.

    ValueError, with the file, where somebody of them is asked, or nobody has a history.
    """
    data, directory = recipe.data, file.directory
    train = stored(_trained(file, kept, data), directory, data.users)
    if everybody is not None:
        train = stored(protocols.earlier(train, _as_read(train, file), everybody, report), directory)
    for store in splits.values():
        check(train, store, data, path)
        if everybody is None:
            _check_apart(_as_read(train, file), train.ids, store, where(data, path))
    return _validation(train, data.validation, recipe.seed)


def _check_apart(train: StoredUsers, ids: Sequence[str], dev: UserStore, path: Path) -> None:
    try:
        protocols.check_apart(train, ids, dev)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def nearest(folder: Path) -> Path:
    """The folder, or the nearest one above it that is there: where nameless files may lie (/tmp may be memory)."""
    return next(path for path in (folder, *folder.resolve().parents) if path.is_dir())


def _split(recipe: Recipe, whole: UserStore, run: Path | None) -> Split | None:
    if recipe.data.split.kind == "none":
        return None
    prepared = given(recipe.data.split, Path(recipe.data.root), frozenset(whole.ids))
    return prepared or (run and saved(recipe, run)) or make(recipe, whole.users())


def _not_training(recipe: Recipe, whole: UserStore, split: Split | None) -> frozenset[str]:
    """The ids of the training file that do not train."""
    if split is not None:
        return frozenset(whole.ids) - trains(split, recipe.data.split.kind)
    if recipe.data.dev is not None or recipe.data.protocol == "time":
        return frozenset()
    return held_ids(whole.ids, recipe.data.holdout, recipe.seed)


def check(train: UserStore, dev: UserStore, data: DataSettings, path: str) -> None:
    """ValueError where a side is empty; `path` is the training users' file."""
    if not any(user.history for user in train.users()):
        raise ValueError(f"{where(data, path)}: no training user has any history")
    if not len(dev):
        raise ValueError(f"{where(data, data.dev or '')}: no dev user has a query with an answer")


def _as_read(train: UserStore, whole: UserStore) -> StoredUsers:
    """The training users as the file has them."""
    return whole.users([whole.place(id) for id in train.ids])


def _trained(whole: UserStore, kept: frozenset[str], data: DataSettings) -> Iterator[Asked]:
    """Who trains: with the answered queries as items where the recipe says so."""
    for place, id in enumerate(whole.ids):
        if id not in kept:
            user, queries = whole[place]
            yield lengthened(user, answered(queries)) if data.queries else user, ()


def _asked(recipe: Recipe, whole: UserStore, ids: frozenset[str], name: str, report: Report) -> Iterator[Asked]:
    """Who is asked on a split: those of a file of their own, or `ids` of the training file."""
    data = recipe.data
    if name == DEV and data.dev is not None:
        pairs: Iterator[Asked] = _read(data, data.dev, data.dev_split, report)
    else:
        pairs = (whole[place] for place, id in enumerate(whole.ids) if id in ids)
    for user, queries in pairs:
        kept, own = split_off(user, answered(queries), data.held)
        yield kept, tuple(own)


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
    return watched(stream(where(data, path), data.on_error, report, split), report)
