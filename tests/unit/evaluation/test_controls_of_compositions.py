"""Every control that is accepted changes the adapters of every composition that it is accepted for."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch

from tailorlm.assembly import build
from tailorlm.assembly.compared import compared
from tailorlm.assembly.compatible import check_control, form_of
from tailorlm.assembly.recipes import Recipe, resolve
from tailorlm.assembly.sources import Prepared, Sources
from tailorlm.assembly.store import UserStore, stored
from tailorlm.assembly.wanted import check_rows, wanted
from tailorlm.data.records import Example, Interaction, User
from tailorlm.evaluation.runner_controls import Control, unchanged

TASKS = ("headline", "movie_tagging")
LORA = {"targets": ["q_proj"], "rank": 2}
PLAIN = {"items": {"items": 3}, "rates": {}, "batches": {}, "lora": LORA, "train": {"learning_rate": 1e-3}}
TOLD = {**PLAIN, "items": {"items": 3, "context": "profile_only", "options": {}}}
ONE_TASK = {"cuts": {"scope": "all", "minimum": 1}}
SHARERS = {"sharers": {"lora": LORA, "more_than": 0, "clusters": 8, "epochs": 1, "items": {"context": "none"}}}
TUNED = {"items": {"items": 3, "context": "none", "options": {}}}
ROWS: Mapping[str, Mapping[str, Any]] = {
    "none": {"adapter": "none"},
    "mt_lora": {"adapter": "mt_lora"},
    "p2p": {"adapter": "p2p"},
    "p2p_history": {"adapter": "p2p", "settings": {"source": "history", "net": {"pool": "single", "head": "L"}}},
    "oppu": {"adapter": "oppu", "settings": PLAIN},
    "oppu_told": {"adapter": "oppu", "start": "mt_lora", "settings": TOLD},
    "prisp": {"adapter": "prisp", "start": "p2p", "settings": {**PLAIN, **TUNED}},
    "prisp_told": {"adapter": "prisp", "start": "p2p", "settings": TOLD},
    "prisp_fresh": {"adapter": "prisp", "settings": {**PLAIN, **TUNED, "begin": "fresh"}},
    "prisp_tasks": {"adapter": "prisp", "start": "text_to_lora",
                    "settings": {**PLAIN, "items": {**TUNED["items"], "scope": "task"}}},
    "oppu_over_prisp": {"adapter": "oppu", "start": "prisp", "settings": PLAIN},
    "one_sharer": {"adapter": "one_sharer", "settings": SHARERS},
    "per_pcs": {"adapter": "per_pcs", "settings": SHARERS | {"gates": {"steps": 2}, "top": 1}},
}  # fmt: skip
EXCHANGED, WORDS = {"shuffled", "drawn"}, {"across_tasks", "words_shuffled"}
ACCEPTED = {
    "none": set(), "mt_lora": set(), "p2p": EXCHANGED | WORDS | {"mean_vector"},
    "p2p_history": EXCHANGED | {"mean_vector"}, "oppu": EXCHANGED, "oppu_told": EXCHANGED | WORDS,
    "prisp": EXCHANGED | WORDS, "prisp_told": EXCHANGED | WORDS, "prisp_fresh": EXCHANGED, "prisp_tasks": EXCHANGED,
    "oppu_over_prisp": EXCHANGED | WORDS, "one_sharer": EXCHANGED, "per_pcs": EXCHANGED,
}  # fmt: skip
CONTROLS = ("shuffled", "drawn", "across_tasks", "words_shuffled", "mean_vector")
PAIRS = [(name, control) for name, accepted in ACCEPTED.items() for control in sorted(accepted)]


def recipe(base: Path, users: Path) -> Recipe:
    shared = {"batch": {"users": 4}, "lora": LORA, "train": {"steps": 3, "save_every": 0, "learning_rate": 1e-2}}
    small = {"latent": 16, "head_in": 16}
    return resolve(
        {
            "base": {"name": str(base)}, "encoder": {"kind": "base", "on_long": "truncate"}, "max_tokens": 160,
            "data": {"root": str(users), "holdout": 0.3},
            "methods": {
                "mt_lora": shared, "p2p": {**shared, "net": {**small, "components": 3}},
                "text_to_lora": {**shared, "net": {**small, "head": "L", "pool": "single"}},
            },
            "eval": {"rows": [], "methods": [{"name": name, **row} for name, row in ROWS.items()]},
        }
    )  # fmt: skip


def person(number: int) -> tuple[User, tuple[Example, ...]]:
    """Somebody who is asked one task, and has done both."""
    history = tuple(
        Interaction(
            f"about {chr(97 + 5 * number) * 5} {n}",
            f"{'!' * (1 + number)} {n} of it" if task == TASKS[0] else "drama",
            n,
            task,
        )
        for n in range(2 + number)
        for task in TASKS[number % 2 :][:1] * 2
    )
    task = TASKS[number % 2]
    return User(f"q{number}", history), (Example(f"q{number}-0", f"q{number}", task, "news", "drama", 99.0),)


@pytest.fixture(scope="module")
def split() -> UserStore:
    return stored(person(number) for number in range(4))


@pytest.fixture(scope="module")
def made(tiny_base: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Recipe, build.Built, Sources]:
    folder = tmp_path_factory.mktemp("compositions")
    with (folder / "users.jsonl").open("w") as out:
        for number in range(8):
            user, _ = person(number)
            said = [{"input": i.input, "output": i.output, "task": i.task, "time": i.time} for i in user.history]
            out.write(json.dumps({"user_id": f"t{number}", "history": said}) + "\n")
    found = recipe(tiny_base, folder / "users.jsonl")
    check_rows(found)
    built = build.assemble(found)
    return found, built, Sources(built, folder / "run", list(TASKS), False)


def prepared(made: tuple[Recipe, build.Built, Sources], name: str) -> Prepared:
    found, _, sources = made
    return sources.prepared(wanted(found, next(row for row in compared(found.eval) if row.name == name)))


def adapters(source: Prepared, control: Control) -> torch.Tensor:
    """(U, values) of the split's users, as the runner enrols them."""
    users = [control.split[n][0] for n in range(len(control.split))]
    for read in source.profiles:
        read.change = control.change(read)
    try:
        roster = control.enrol(source.source, control.users(users), TASKS)
    finally:
        for read in source.profiles:
            read.change = unchanged
    assert roster.adapters is not None
    flat = torch.cat([t.flatten(1) for t in roster.adapters.tensors.values()], 1)
    queries = [query for n in range(len(control.split)) for query in control.split[n][1]]
    return flat[torch.tensor(roster.index(queries))]


@pytest.mark.parametrize("name", ROWS)
def test_a_control_is_accepted_where_it_can_change_something(
    made: tuple[Recipe, build.Built, Sources], name: str
) -> None:
    found = made[0]
    form = form_of(wanted(found, next(row for row in compared(found.eval) if row.name == name)))
    assert form is not None
    for control in CONTROLS:
        if control in ACCEPTED[name]:
            check_control(form, control)
        else:
            with pytest.raises(ValueError, match=f'control "{control}"'):
                check_control(form, control)


@pytest.mark.parametrize(("name", "control"), PAIRS)
def test_an_accepted_control_changes_the_adapters(
    made: tuple[Recipe, build.Built, Sources], split: UserStore, name: str, control: str
) -> None:
    source, training = prepared(made, name), stored((user, ()) for user in made[1].users)
    right, again = (adapters(source, Control("", split, training.users(), 0)) for _ in range(2))
    wrong = adapters(source, Control(control, split, training.users(), 0))
    assert torch.allclose(right, again, atol=1e-7)
    assert (wrong - right).abs().max() > 1e-5 * right.abs().max()


def test_what_a_source_begins_at_reads_profiles_of_its_own(made: tuple[Recipe, build.Built, Sources]) -> None:
    chain = prepared(made, "oppu_over_prisp")
    own = [prepared(made, name).profile for name in ("oppu_over_prisp", "prisp", "p2p", "mt_lora")]
    assert [id(one) for one in chain.profiles] == [id(one) for one in own]


def test_the_negative_control_changes_the_source_alone(
    made: tuple[Recipe, build.Built, Sources], split: UserStore
) -> None:
    """As it was: PRISP over P2P, whose own rows are plain, kept the anchor of the right profile."""
    source = prepared(made, "prisp")
    alone, training = Prepared(source.source, source.profile), stored((user, ()) for user in made[1].users)
    right = adapters(source, Control("", split, training.users(), 0))
    with pytest.raises(ValueError, match="this source read none"):
        adapters(alone, Control("words_shuffled", split, training.users(), 0))
    assert torch.allclose(adapters(alone, Control("", split, training.users(), 0)), right, atol=1e-7)
