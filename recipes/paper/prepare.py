"""Users of the papers' recipes, out of the benchmarks' folders: gathered, divided as each paper divides them.

    python recipes/paper/prepare.py p2p DATA runs/p2p_data    # users.jsonl of all tasks, split.json, and figure 3's
    python recipes/paper/prepare.py prisp DATA runs/prisp_data  # a folder a task

DATA has the folders of docs/data.md (LaMP_1, ..., longlamp_topic_writing, personal_reddit, empathic), each with all its
files: who trains and who is asked is decided here, each task by itself. P2P's clusters need profile vectors, made as
the recipe says (with its base and its encoder: a GPU). Ids become ID@FOLDER: each folder counts its users by itself.
Source: P2P section 4, appendix H, table 8; PRISP section 4.1, appendix A.2.
"""

import argparse
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from tailorlm.assembly.datasets import as_item
from tailorlm.assembly.recipes import Recipe, read
from tailorlm.assembly.split_making import describable, vectors
from tailorlm.assembly.splitting import FILE
from tailorlm.assembly.store import Asked, UserStore, stored
from tailorlm.data.folders import splits as files_of
from tailorlm.data.jsonl import write_users
from tailorlm.data.load import stream
from tailorlm.data.records import Example, User
from tailorlm.data.splits import Split, joined, save
from tailorlm.data.splits_benchmark import benchmark_split
from tailorlm.data.splits_clusters import Floats
from tailorlm.data.splits_few_shot import SHOTS, few_shot_split, newest, task_rows
from tailorlm.data.splits_subsample import diversity, quantity

HERE = Path(__file__).parent
Users = Callable[[], Iterable[Asked]]
"""Users with their queries, read anew each time."""
ROWS = 50
"""Rows of task data in PRISP's few-shot setting."""


def main() -> None:
    """What the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("paper", choices=("p2p", "prisp"))
    parser.add_argument("data", type=Path, help="the folder with the benchmarks' folders")
    parser.add_argument("out", type=Path, help="where users and splits go")
    parser.add_argument("--folders", nargs="+", help="some of the folders in DATA; all by default")
    parser.add_argument("--set", action="append", default=[], help="a setting of p2p.toml")
    said = parser.parse_args()
    folders = said.folders or sorted(path.name for path in said.data.iterdir() if path.is_dir())
    if said.paper == "p2p":
        p2p(said.data, folders, said.out, read(HERE / "p2p.toml", said.set))
    else:
        prisp(said.data, folders, said.out, seed=0)


def gathered(root: Path, folder: str) -> Iterator[Asked]:
    """The users of all files of a folder, as users of no other."""
    for name in files_of(root / folder):
        for user, queries in stream(root / folder, split=name):
            yield own(folder, user, queries)


def own(folder: str, user: User, queries: Sequence[Example]) -> Asked:
    """The user and the queries under ids that no other folder has."""
    id = f"{user.id}@{folder}"
    return replace(user, id=id), tuple(replace(one, id=f"{one.id}@{folder}", user_id=id) for one in queries)


def p2p(root: Path, folders: Sequence[str], out: Path, recipe: Recipe) -> None:
    """One file of everybody, the split of each task in one, and beside it those of figure 3."""
    out.mkdir(parents=True, exist_ok=True)
    write_users(out / "users.jsonl", (pair for folder in folders for pair in gathered(root, folder)))
    store = stored(stream(out / "users.jsonl"), out)
    places = [place for place, user in enumerate(store.users()) if describable(recipe, user)]
    found = vectors(recipe, store.users(), places).numpy()
    tasks = {folder: [n for n, place in enumerate(places) if of(store, place) == folder] for folder in folders}
    ids = [store.ids[place] for place in places]
    each = {
        folder: divided(recipe, store, folder, [ids[n] for n in rows], found[rows]) for folder, rows in tasks.items()
    }
    save(joined(each), out / FILE)
    for name, made in fewer(each, dict(zip(ids, found, strict=True)), recipe.seed).items():
        (out / name).mkdir(exist_ok=True)
        save(joined(made), out / name / FILE)


def divided(recipe: Recipe, store: UserStore, folder: str, ids: Sequence[str], found: Floats) -> Split:
    """The split of a folder's users, with their vectors (U, E). ValueError names the folder."""
    if not ids:
        raise ValueError(f"{folder}: none of its users has a history or a profile of their own to be clustered by")
    try:
        return benchmark_split(ids, found, size(recipe, *store[store.place(ids[0])]), None, recipe.seed)
    except ValueError as error:
        raise ValueError(f"{folder}: {error}") from None


def size(recipe: Recipe, user: User, queries: Sequence[Example]) -> int | None:
    """Users of each test set of this user's task, where the recipe has a number."""
    one = (*user.history, *queries)[0]
    return recipe.data.split.of(one.task or "").size or None


def of(store: UserStore, place: int) -> str:
    """The folder that a user is from."""
    return store.ids[place].rpartition("@")[2]


def fewer(each: dict[str, Split], vector: dict[str, Floats], seed: int) -> dict[str, dict[str, Split]]:
    """By name the splits of figure 3: training users of fewer clusters, or fewer of them; test users stay.

    A task whose training users have fewer than 50 different vectors keeps all of them in each.
    """
    made: dict[str, dict[str, Split]] = {}
    for folder, split in each.items():
        train = split.part("train")
        try:
            some = diversity(train, [vector[id] for id in train], seed=seed)
        except ValueError:
            some = dict.fromkeys((10, 20, 30, 40, 50), train)
        named = {f"clusters_{count}": users for count, users in some.items()}
        named |= {f"users_{round(100 * share)}": users for share, users in quantity(train, seed=seed).items()}
        for name, users in named.items():
            made.setdefault(name, {})[folder] = with_train(split, users)
    return made


def with_train(split: Split, users: Sequence[str]) -> Split:
    """The split with these of its training users only."""
    left = (*split.part("left_out"), *(set(split.part("train")) - set(users)))
    return Split(split.kind, {**split.parts, "train": tuple(users), "left_out": left}, split.made)


def prisp(root: Path, folders: Sequence[str], out: Path, seed: int) -> None:
    """A folder a task, each divided by lot. ValueError names the folder."""
    for folder in folders:
        (out / folder).mkdir(parents=True, exist_ok=True)
        store = stored(gathered(root, folder), out)
        try:
            split = few_shot_split(store.ids, seed=seed)
        except ValueError as error:
            raise ValueError(f"{folder}: {error}") from None
        save(split, out / folder / FILE)
        target, task, sharers = (users_of(store, split.part(part)) for part in ("target", "task", "sharers"))
        others = users_of(store, (*split.part("task"), *split.part("sharers")))
        written(out / folder, target, task, sharers, others, seed)


def written(
    folder: Path, target: Users, task: Users, sharers: Users, others: Users, seed: int, rows: int = ROWS
) -> None:
    """A task's files.

    target.jsonl: who is asked; target_N.jsonl: with the N newest items. sharers.jsonl: whose LoRAs are lent. Task data,
    rows (answered queries) with their users' histories: task_50.jsonl has `rows`, 50, task_all.jsonl all of the task
    users, all_rows.jsonl those of the sharers too (`others`).
    """
    write_users(folder / "target.jsonl", target())
    for count in SHOTS:
        few = ((replace(user, history=newest(user.history, count)), asked) for user, asked in target())
        write_users(folder / f"target_{count}.jsonl", few)
    write_users(folder / "sharers.jsonl", sharers())
    write_users(folder / "task_50.jsonl", with_rows(task, seed, rows))
    write_users(folder / "task_all.jsonl", with_rows(task, seed))
    write_users(folder / "all_rows.jsonl", with_rows(others, seed))


def users_of(store: UserStore, ids: Sequence[str]) -> Users:
    """These users of the store, read anew each time."""
    return lambda: (store[store.place(id)] for id in ids)


def with_rows(users: Users, seed: int, most: int = 0) -> Iterator[Asked]:
    """Users with their rows of task data: `most` answered queries of all users', drawn by lot; all where that is 0 or
    more. `users` is read twice; who has no row is left out.

    ValueError for a query that no item asks in the same words: nothing could be trained on it.
    """
    names = [name(one) for _, asked in users() for one in asked if one.target is not None]
    drawn = set(task_rows(names, min(most, len(names)) or "all", seed))
    for user, asked in users():
        rows = tuple(one for one in asked if name(one) in drawn)
        for one in rows:
            if as_item(one) is None:
                raise ValueError(f"task {one.task!r}: query {one.id!r} cannot be a training item in the same words")
        if rows:
            yield user, rows


def name(query: Example) -> str:
    """A query's name among those of all users."""
    return f"{query.user_id} {query.id}"


if __name__ == "__main__":
    main()
