"""Controls: nobody has the own profile, the tasks are what the control says, and each says where it changes nothing."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from tailorlm.assembly.benches import load_base, make_bench
from tailorlm.assembly.profilers import Known, make
from tailorlm.assembly.recipes import BaseSettings, ProfileSettings
from tailorlm.assembly.remembered import Fitted, Remembered
from tailorlm.assembly.sources import Prepared
from tailorlm.assembly.store import UserStore, stored
from tailorlm.data.records import Example, Interaction, User
from tailorlm.evaluation.plan import Cell, Method, Plan
from tailorlm.evaluation.runner_controls import Control, stand_ins
from tailorlm.evaluation.runner_desk import Desk, Shown, generating
from tailorlm.evaluation.runner_sources import Sourced
from tailorlm.methods import none, p2p
from tailorlm.methods.batches import BatchSettings
from tailorlm.methods.p2p_inputs import NOTHING
from tailorlm.methods.source import Bench
from tailorlm.plugins import find
from tailorlm.profiles.profile import Profile, Statement
from tailorlm.training.settings import TrainSettings

TASKS = ("headline", "movie_tagging")
TRAIN = TrainSettings(steps=6, learning_rate=1e-2, warmup=0.0, save_every=0, line_seconds=1e9)


class Letters:
    """An encoder that needs no model: the letters of a text, counted."""

    id, size = "letters", 26

    def __call__(self, texts: Sequence[str]) -> torch.Tensor:
        counts = torch.tensor([[float(text.lower().count(chr(97 + n))) for n in range(26)] for text in texts])
        return counts / counts.norm(dim=1, keepdim=True).clamp_min(1e-6) * 26**0.5


def item(user: str, task: str, n: int) -> Interaction:
    said = ["drama", "comedy", "horror"][(n + len(user) + ord(user[-1])) % 3]
    return Interaction(f"about {user} {n}", said if task == "movie_tagging" else f"{said} {user}!", float(n), task)


def person(name: str, tasks: Sequence[str] = TASKS, items: int = 3) -> User:
    return User(name, tuple(item(name, task, n) for n in range(items) for task in tasks))


def asking(user: User, tasks: Sequence[str] = TASKS) -> tuple[User, tuple[Example, ...]]:
    return user, tuple(Example(f"{user.id}-{t}", user.id, t, "Write a headline: news", "drama", 9.0) for t in tasks)


def both(users: int = 4) -> UserStore:
    return stored(asking(person(f"u{n}")) for n in range(users))


def single(users: int = 6) -> UserStore:
    """Users of one task each."""
    return stored(asking(person(f"u{n}", TASKS[n % 2 :][:1]), TASKS[n % 2 :][:1]) for n in range(users))


TRAINING = stored((person(f"t{n}", TASKS if n % 3 else TASKS[:1]), ()) for n in range(9))


def control(name: str, split: UserStore, training: UserStore = TRAINING, seed: int = 0) -> Control:
    return Control(name, split, training.users(), seed)


def everybody(split: UserStore) -> list[User]:
    return [split[n][0] for n in range(len(split))]


@pytest.mark.parametrize("split", [both(), single()], ids=["both", "single"])
def test_shuffled_is_somebody_else_of_the_same_tasks_whatever_the_chunk(split: UserStore) -> None:
    users = everybody(split)
    others = control("shuffled", split).users(users)
    assert [user.id for user in others] == [user.id for user in users]
    lenders = [one.history[0].input.split()[1] for one in others]
    assert sorted(lenders) == sorted(split.ids) and all(a != b for a, b in zip(lenders, split.ids, strict=True))
    tasks = dict(zip(split.ids, split.asks, strict=True))
    assert all(tasks[lender] == tasks[user.id] for lender, user in zip(lenders, users, strict=True))
    assert control("shuffled", split).users(users[1:]) == others[1:]
    assert any(control("shuffled", split, seed=seed).users(users) != others for seed in range(1, 5))


def test_who_is_asked_what_nobody_else_is_stands_in_for_one_of_such() -> None:
    asks = {"a": frozenset({"x"}), "b": frozenset({"x"}), "c": frozenset({"y"}), "d": frozenset({"z"})}
    assert stand_ins(asks, 0) == {"a": "b", "b": "a", "c": "d", "d": "c"}
    del asks["d"]
    found = stand_ins(asks, 0)
    assert sorted(found.values()) == ["a", "b", "c"] and all(a != b for a, b in found.items())
    with pytest.raises(ValueError, match="at least two users"):
        stand_ins({"a": frozenset()}, 0)


def test_drawn_is_another_training_user_with_the_tasks() -> None:
    split = stored([asking(person("t4")), asking(person("u1", TASKS[:1]), TASKS[:1])])
    users, seen = everybody(split), set()
    for seed in range(20):
        [both_tasks, _] = control("drawn", split, seed=seed).users(users)
        seen.add(both_tasks.history[0].input.split()[1])
    assert seen <= {"t1", "t2", "t5", "t7", "t8"} and len(seen) > 2  # with both tasks, and never itself
    assert control("drawn", split).users(users[1:]) == control("drawn", split).users(users)[1:]
    alone = stored([(person("t4"), ())])
    with pytest.raises(ValueError, match="no other training user than 't4' has items of all the tasks"):
        control("drawn", split, alone).users(users)


def plain(split: UserStore) -> Fitted:
    return Fitted(Remembered(make(ProfileSettings(), Known())))


def test_words_shuffled_has_the_own_words() -> None:
    said = Profile("u", None, (Statement("f", "one two three four"),), "t")
    mixed = control("words_shuffled", both()).change(plain(both()))(said)
    assert mixed != said and sorted(mixed.text.split()) == sorted(said.text.split())
    assert control("", both()).change(plain(both()))(said) == said


def test_across_tasks_is_another_users_profile_of_another_task() -> None:
    split, users = both(), everybody(both())
    wrong, fitted = control("across_tasks", split), plain(both())
    fitted.change = wrong.change(fitted)
    asked = [(user.id, task) for user in users for task in TASKS]
    by_id = {user.id: user for user in users}
    right = {pair: fitted.plain(pair[0], by_id[pair[0]].history, pair[1]) for pair in asked}
    found = {pair: fitted(pair[0], by_id[pair[0]].history, pair[1]) for pair in asked}
    assert sorted(wrong.crossing) == sorted(wrong.crossing.values()) == sorted(asked)
    for pair, profile in found.items():
        lender = wrong.crossing[pair]
        assert (profile.user_id, profile.task) == pair and profile.statements == right[lender].statements
        assert lender[0] != pair[0] and lender[1] != pair[1]
    some = wrong.lenders(users[:1])
    assert {user.id for user in some} == {wrong.crossing[users[0].id, task][0] for task in TASKS}
    assert control("shuffled", split).lenders(users[:1]) == []


def test_across_tasks_of_one_profile_for_all_needs_users_of_one_task_each() -> None:
    split, fitted = single(), plain(single())
    wrong = control("across_tasks", split)
    fitted.change = wrong.change(fitted)
    for user in everybody(split):
        lender = split.user(wrong.crossing[user.id, user.history[0].task][0])
        assert lender.history[0].task != user.history[0].task
        assert (
            fitted(user.id, user.history, None).statements == fitted.plain(lender.id, lender.history, None).statements
        )
    mixed = plain(both())
    mixed.change = control("across_tasks", both()).change(mixed)
    user = everybody(both())[0]
    with pytest.raises(ValueError, match="'u0' is asked 2 tasks and has one profile of all: set the source's scope"):
        mixed(user.id, user.history, None)
    unasked = plain(single())
    unasked.change = control("across_tasks", single()).change(unasked)
    first = everybody(single())[0]
    assert unasked(first.id, first.history, TASKS[1]) == unasked.plain(first.id, first.history, TASKS[1])
    with pytest.raises(ValueError, match="one user or one task"):
        control("across_tasks", stored([asking(person("a", TASKS[:1]), TASKS[:1])])).lenders([])


@pytest.fixture(scope="module")
def bench(tiny_base: Path) -> Bench:
    backbone = load_base(BaseSettings(name=str(tiny_base), dtype="float32"))
    return make_bench(backbone, Remembered(make(ProfileSettings(), Known())), Letters(), 200)


def trained(bench: Bench, folder: Path, pool: Any = "single", scope: Any = "task", **given: Any) -> Prepared:
    net = p2p.NetSettings(
        pool=pool, head="L", latent=16, head_in=24, dropout=0.0, components=4, unit_norm=pool != "single"
    )
    profile = Fitted(bench.profile)
    settings = p2p.Settings(
        net=net,
        cuts=p2p.CutSettings(scope=scope, minimum=1),
        batch=BatchSettings(users=4, rows=1),
        train=TRAIN,
        **given,
    )
    source = p2p.Source(Bench(**{**vars(bench), "profile": profile}), settings)
    source.prepare(list(TRAINING.users()), folder)
    profile.facets = source.facets
    return Prepared(source, profile)


def enrolled(prepared: Prepared, wrong: Control, users: list[User]) -> dict[tuple[str, str | None], torch.Tensor]:
    """By place the values of the adapter."""
    prepared.profile.change = wrong.change(prepared.profile)
    try:
        roster = wrong.enrol(prepared.source, wrong.users(users), TASKS)
    finally:
        prepared.profile.change = control("", wrong.split).change(prepared.profile)
    assert roster.adapters is not None
    flat = torch.cat([t.flatten(1) for t in roster.adapters.tensors.values()], 1)
    return {place: flat[number] for place, number in roster.place.items()}


@pytest.fixture(scope="module")
def by_task(bench: Bench, tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    return trained(bench, tmp_path_factory.mktemp("run"))


def test_each_control_through_p2p(by_task: Prepared) -> None:
    split, users = both(), everybody(both())
    right = enrolled(by_task, control("", split), users)
    wrong = control("across_tasks", split)
    crossed = enrolled(by_task, wrong, users)
    for pair in right:
        assert torch.allclose(crossed[pair], right[wrong.crossing[pair]], atol=1e-5)
        assert (crossed[pair] - right[pair]).abs().max() > 1e-6
    mixed = enrolled(by_task, control("shuffled", split), users)
    after = stand_ins({user.id: frozenset(TASKS) for user in users}, 0)
    assert all(torch.allclose(mixed[id, task], right[after[id], task], atol=1e-5) for id, task in right)
    disordered = enrolled(by_task, control("words_shuffled", split), users)  # this encoder counts letters alone
    assert all(torch.allclose(disordered[pair], right[pair], atol=1e-5) for pair in right)


@pytest.mark.parametrize("name", ["shuffled", "drawn"])
def test_items_that_are_lent_are_found_for_each_query_though_they_are_later(
    bench: Bench, tmp_path: Path, name: str
) -> None:
    """As it was: a query before the stand-in's items was told that there are none, which is another control."""
    prepared = trained(bench, tmp_path / "run", "attention", "all", source="items", k=2)
    source: Any = prepared.source
    split = stored(
        (user, tuple(replace(query, time=-1.0) if user.id != "u0" else query for query in queries))
        for user, queries in (asking(person(f"u{n}")) for n in range(4))
    )
    users = everybody(split)
    lenders = {user.id: user.history[0].input.split()[1] for user in control(name, split).users(users)}
    for query in (query for n in range(4) for query in split[n][1]):
        right = source.told([query], control("", split).enrol(source, users, TASKS))[0]
        wrong = control(name, split)
        found = source.told([query], wrong.enrol(source, wrong.users(users), TASKS))[0]
        theirs = {s.text for s in found.statements}
        lender = person(lenders[query.user_id])
        shown = {source.inputs.shown(item) for item in lender.history if item.task == query.task}
        assert len(theirs) == 2 and theirs <= shown and lender.id != query.user_id
        assert (right.text == NOTHING) == (query.user_id != "u0")  # the own items keep their times


@pytest.mark.parametrize(
    ("pool", "scope", "given"),
    [("single", "task", {}), ("single", "all", {}), ("facets", "all", {}), ("attention", "all", {}),
     ("single", "all", {"k": 1}), ("attention", "all", {"source": "history"})],
)  # fmt: skip
def test_the_mean_is_one_adapter_for_everybody(bench: Bench, tmp_path: Path, pool: str, scope: str, given: Any) -> None:
    prepared = trained(bench, tmp_path / "run", pool, scope, **given)
    split = both()
    users, wrong = everybody(split), control("mean_vector", split)
    found = enrolled(prepared, wrong, users)
    for task in TASKS if scope == "task" else (None,):
        same = [found[user.id, task] for user in users]
        assert all(torch.equal(one, same[0]) for one in same)
    if scope == "task":
        assert not torch.allclose(found["u0", TASKS[0]], found["u0", TASKS[1]], atol=1e-6)
    if not given:
        right = enrolled(prepared, control("", split), users)
        assert all((right[pair] - found[pair]).abs().max() > 1e-6 for pair in right)
    roster = wrong.enrol(prepared.source, users, TASKS)
    queries = [query for n in range(len(split)) for query in split[n][1]]
    adapters, index = prepared.source.adapters(queries, roster)
    assert adapters is roster.adapters and roster.shared and set(index.tolist()) <= {0, 1}


def test_the_mean_is_of_training_users_alone_and_of_the_most_at_most(
    by_task: Prepared, monkeypatch: pytest.MonkeyPatch
) -> None:
    met: list[str] = []
    source: Any = by_task.source
    monkeypatch.setattr(source, "examples", lambda users: met.extend(user.id for user in users) or 1 / 0)
    for most, count in ((1000, 9), (4, 4)):
        met.clear()
        monkeypatch.setattr("tailorlm.evaluation.runner_controls.MOST", most)
        with pytest.raises(ZeroDivisionError):
            control("mean_vector", both()).enrol(source, everybody(both()), TASKS)
        assert len(met) == count and set(met) <= set(TRAINING.ids)


def test_a_source_that_a_control_would_not_change_is_refused(bench: Bench, tmp_path: Path) -> None:
    base: Any = none.Source(bench, none.Settings())
    users = everybody(both())
    with pytest.raises(ValueError, match=r'"mean_vector": tailorlm.methods.none makes no adapters of vectors'):
        control("mean_vector", both()).enrol(base, users, TASKS)
    for name in ("across_tasks", "words_shuffled"):
        with pytest.raises(ValueError, match=f'"{name}" changes profiles, and this source read none'):
            control(name, both()).enrol(base, users, TASKS)
    history = trained(bench, tmp_path / "run", "single", "task", source="history")
    with pytest.raises(ValueError, match="this source read none"):
        enrolled(history, control("across_tasks", both()), users)


@pytest.mark.parametrize("name", ["across_tasks", "mean_vector", "shuffled", "drawn", "words_shuffled"])
def test_as_a_row_of_the_table(bench: Bench, by_task: Prepared, name: str) -> None:
    store = both()
    profile: Any = bench.profile
    desk = Desk(bench, profile, {"dev": store}, TRAINING.users(), generating(bench, 8), lambda error: str(error))
    module = find("contexts", "none")
    method = Method(name, "p2p", "none", {"name": name})
    shown = {name: Shown.of(module, module.Settings())}
    way = Sourced(desk, lambda: by_task, shown, [method], 0, 0, name)
    plan = Plan(Path("nowhere"), {"dev": store}, [way], 3)
    rows = []
    for chunk in plan.chunks("dev", 0):
        cells = [Cell(method, task, "dev", 0) for task in chunk.of_task]
        rows += [row for _, found in way.rows(chunk, cells) for row in found]
    assert len(rows) == 8 and all(row.failure is None and row.score is not None for row in rows)
    assert {row.kept_bytes == 0 for row in rows} == {name == "mean_vector"}
