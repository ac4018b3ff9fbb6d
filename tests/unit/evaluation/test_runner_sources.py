"""Sources and contexts through the runner, on a tiny model: whose adapter answers, what is shared, what fails alone."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from tailorlm.adapters.batch import Adapters
from tailorlm.adapters.lora import LoraSpace
from tailorlm.assembly import remembered
from tailorlm.assembly.benches import load_base, make_bench
from tailorlm.assembly.profilers import Known, make
from tailorlm.assembly.recipes import BaseSettings, ProfileSettings
from tailorlm.assembly.remembered import Fitted, Remembered
from tailorlm.assembly.sources import Prepared
from tailorlm.assembly.store import UserStore, stored
from tailorlm.backbone.inject import Injector
from tailorlm.data.records import Example, Interaction, User
from tailorlm.evaluation import measure
from tailorlm.evaluation.plan import Cell, Chunk, Method, Plan
from tailorlm.evaluation.rows import Row
from tailorlm.evaluation.runner_controls import stand_ins
from tailorlm.evaluation.runner_desk import Desk, Shown, generating
from tailorlm.evaluation.runner_sources import Sourced
from tailorlm.methods.source import Bench, Roster
from tailorlm.plugins import find
from tailorlm.profiles.endpoint import BatchError, EndpointError
from tailorlm.profiles.llm import Summariser
from tailorlm.profiles.profile import Profile, Statement

TASKS = ("movie_tagging", "headline")


def people(users: int = 5) -> list[tuple[User, tuple[Example, ...]]]:
    found = []
    for n in range(users):
        history = tuple(Interaction(f"Write a headline: item {i}", f"said {n} {i}", i, TASKS[i % 2]) for i in range(4))
        asked = tuple(Example(f"q{n}{t}", f"u{n}", t, f"Write a headline: news {n}", "drama", 9.0) for t in TASKS)
        found.append((User(f"u{n}", history), asked))
    return found


class Own:
    """A strong adapter of each user, drawn from what the history says: whoever has it answers in a way of its own."""

    def __init__(self, bench: Bench, refuses: str = "", breaks: bool = False) -> None:
        self.bench, self.refuses, self.breaks = bench, refuses, breaks
        self.space = LoraSpace(bench.backbone.sites(["q_proj", "v_proj"]), 2)
        self.injector = Injector(bench.backbone.model, self.space)
        self.enrolled: list[list[str]] = []

    def one(self, user: User) -> dict[str, torch.Tensor]:
        dice = torch.Generator().manual_seed(sum(map(ord, user.history[-1].output)))
        return {name: torch.randn(shape, generator=dice) for name, shape in self.space.shapes().items()}

    def enrol(self, users: Sequence[User], tasks: Sequence[str] = ()) -> Roster:
        self.enrolled.append([user.id for user in users])
        if self.breaks:
            self.injector.set(None, torch.tensor([-1]))  # as a training that stopped in its middle leaves it
            raise RuntimeError("secret")
        if self.refuses in [user.id for user in users]:
            raise ValueError(f"user {self.refuses} cannot be enrolled")
        made = [self.one(user) for user in users]
        tensors = {name: torch.stack([one[name] for one in made]) for name in made[0]}
        return Roster(Adapters(self.space, tensors), {(user.id, None): n for n, user in enumerate(users)})

    def adapters(self, requests: Sequence[Example], roster: Roster):
        return roster.adapters, torch.tensor(roster.index(requests))


class Told(Own):
    """Adapters from profiles."""

    def one(self, user: User) -> dict[str, torch.Tensor]:
        self.bench.profile(user.id, user.history, None)
        return super().one(user)


class Alike(Own):
    """One adapter for everybody."""

    def enrol(self, users: Sequence[User], tasks: Sequence[str] = ()) -> Roster:
        roster = super().enrol(users[:1], tasks)
        return Roster(roster.adapters, {(user.id, None): 0 for user in users}, shared=True)


class Queried(Own):
    """An adapter a query, made when it is asked; a tick of the clock each."""

    def __init__(self, bench: Bench, tick: Callable[[float], None]) -> None:
        super().__init__(bench)
        self.tick = tick

    def enrol(self, users: Sequence[User], tasks: Sequence[str] = ()) -> Roster:
        return Roster(None, {}, histories={user.id: user.history for user in users})

    def adapters(self, requests: Sequence[Example], roster: Roster):
        self.tick(len(requests))
        made = super().enrol([User(query.id, roster.histories[query.user_id]) for query in requests])
        return made.adapters, torch.arange(len(requests))


@pytest.fixture(scope="module")
def desk(tiny_base: Path) -> Desk:
    backbone = load_base(BaseSettings(name=str(tiny_base), dtype="float32"))
    profile = Remembered(make(ProfileSettings(), Known()))
    bench = make_bench(backbone, profile, None, 200)
    store = stored(people())
    return Desk(bench, profile, {"dev": store}, store.users(), generating(bench, 3), lambda error: str(error))


def method(name: str, context: str = "none") -> Method:
    return Method(name, "own", context, {"name": name})


def shown(context: str) -> Shown:
    module = find("contexts", context)
    return Shown.of(module, module.Settings())


def way(desk: Desk, source: Own, contexts: Sequence[str] = ("none",), control: str = "") -> Sourced:
    methods = [method(name, name) for name in contexts]
    prepared = Prepared(source, Fitted(desk.profile))
    return Sourced(desk, lambda: prepared, {name: shown(name) for name in contexts}, methods, 0, 0, control)


def asked(desk: Desk, one: Sourced, store: UserStore | None = None, at_once: int = 3) -> list[Row]:
    plan = Plan(Path("nowhere"), {"dev": store or desk.splits["dev"]}, [one], at_once)
    found = []
    for chunk in plan.chunks("dev", 0):
        cells = [Cell(method, task, "dev", 0) for method in one.methods for task in chunk.of_task]
        found += [row for _, rows in one.rows(chunk, cells) for row in rows]
    return found


def outputs(rows: Sequence[Row]) -> dict[tuple[str, str], str | None]:
    return {(row.method, row.example_id): row.output for row in rows}


def test_every_row_is_answered_by_its_own_users_adapter(desk: Desk) -> None:
    own = outputs(asked(desk, way(desk, Own(desk.bench))))
    assert outputs(asked(desk, way(desk, Own(desk.bench)), at_once=1)) == own  # each alone says the same
    others = outputs(asked(desk, way(desk, Own(desk.bench), control="shuffled")))
    differ = [key for key in own if own[key] != others[key]]
    assert len(differ) >= 8  # the negative control: with somebody else's adapter it is another answer
    after = stand_ins({f"u{n}": frozenset(TASKS) for n in range(5)}, 0)
    for user, queries in people():
        lent = replace(dict((u.id, u) for u, _ in people())[after[user.id]], id=user.id)
        alone = way(desk, Own(desk.bench))
        found = asked(desk, alone, stored([(lent, queries)]))
        assert {row.example_id: row.output for row in found} == {q.id: others["none", q.id] for q in queries}


def test_users_are_enrolled_once_for_all_contexts_and_tasks(desk: Desk) -> None:
    source = Own(desk.bench)
    rows = asked(desk, way(desk, source, ("none", "rag", "profile_only")))
    assert source.enrolled == [["u0", "u1", "u2"], ["u3", "u4"]] and len(rows) == 3 * 2 * 5
    by = {row.method: row for row in rows}
    assert by["none"].context_tokens == 0 and by["rag"].context_tokens > 0 and by["profile_only"].context_tokens > 0
    assert by["rag"].prompt_tokens > by["none"].prompt_tokens and by["none"].new_tokens >= 1
    size = sum(4 * shape.numel() for shape in map(torch.zeros, Own(desk.bench).space.shapes().values()))
    assert {row.adapter_bytes for row in rows} == {row.kept_bytes for row in rows} == {size}
    assert all(row.seconds > 0 and row.enrol_seconds > 0 and row.peak_rss > 0 for row in rows)
    alike = asked(desk, way(desk, Alike(desk.bench)))
    assert {(row.adapter_bytes, row.kept_bytes) for row in alike} == {(size, 0)}  # shared: kept of no user


def test_contexts_show_what_is_before_the_query_and_profiles_only_where_they_are_seen(desk: Desk) -> None:
    assert not shown("none").profiles and not shown("rag").profiles and not shown("full_history").profiles
    assert shown("profile_only").profiles and shown("pag").profiles and shown("rag_pag").profiles
    user, queries = people()[0]
    late = replace(user, history=(*user.history, Interaction("Write a headline: later", "LATER", 99.0, "headline")))
    prompts = desk.prompts(shown("full_history"), [replace(queries[1], time=9.0)], {late.id: late}, 200)
    assert "said 0 3" in prompts[0].context and "LATER" not in prompts[0].context


def test_who_cannot_be_enrolled_fails_alone(desk: Desk) -> None:
    rows = asked(desk, way(desk, Own(desk.bench, refuses="u1"), ("none", "rag")))
    failed = {row.user_id: row.failure for row in rows if row.failure}
    assert failed == {"u1": "user u1 cannot be enrolled"} and len(rows) == 20
    right = outputs(asked(desk, way(desk, Own(desk.bench), ("none", "rag"))))
    assert all(row.output == right[row.method, row.example_id] for row in rows if not row.failure)
    assert {row.output for row in rows if row.user_id == "u1"} == {None}


def test_whose_summary_does_not_come_fails_alone_and_is_asked_about_once(desk: Desk) -> None:
    asked_about: list[str] = []

    def complete(prompts: Sequence[str]) -> list[str]:
        asked_about.extend(prompts)
        replies = [
            EndpointError(n, "host: HTTP 500") if "said 1 0" in p else f"likes {n}" for n, p in enumerate(prompts)
        ]
        if any(isinstance(reply, EndpointError) for reply in replies):
            raise BatchError(0, "host: HTTP 500", replies)
        return replies

    profile = Remembered(Summariser(complete, "m"))
    told = replace(desk, profile=profile, bench=replace(desk.bench, profile=profile))
    methods = [method(name, name) for name in ("none", "profile_only", "pag")]
    prepared = Prepared(Told(told.bench), Fitted(profile))
    one = Sourced(told, lambda: prepared, {name.name: shown(name.context) for name in methods}, methods, 0)
    rows = asked(told, one, at_once=5)
    failed = [row for row in rows if row.failure]
    assert {row.user_id for row in failed} == {"u1"} and len(failed) == 6 and len(rows) == 30
    assert {row.failure for row in failed} == {"user 'u1' has no profile: host: HTTP 500"}
    assert len(asked_about) == 5  # each user once, for the adapter and all contexts


def test_a_profile_counts_once_a_user_whatever_needs_it(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second each to make; four queries a user, two tasks, in batches of one way or another."""
    clock = [0.0]
    monkeypatch.setattr(remembered, "time", SimpleNamespace(perf_counter=lambda: clock[0]))

    def profiles(users: Sequence[User], task: str | None) -> list[Profile]:
        clock[0] += len(users)
        return [Profile(user.id, task, (Statement("all", f"is {user.id}"),), "t") for user in users]

    monkeypatch.setattr(measure, "time", SimpleNamespace(perf_counter=lambda: clock[0]))
    profile = Remembered(profiles)
    store = stored([(user, tuple(replace(q, id=f"{q.id}{n}") for q in queries for n in range(4)))
                    for user, queries in people()])  # fmt: skip
    told = replace(desk, profile=profile, bench=replace(desk.bench, profile=profile))
    contexts = ("none", "profile_only", "pag")
    base = asked(told, way(told, Own(told.bench), contexts), store)
    p2p = asked(told, way(told, Told(told.bench), contexts), store)
    assert clock[0] == 5  # made once
    wanted = {"none": 0, "profile_only": 1, "pag": 1}
    assert {(row.method, row.enrol_seconds) for row in base} == {*wanted.items()}
    assert {(row.method, row.enrol_seconds) for row in p2p} == {(name, 1) for name in contexts}
    for row in (*base, *p2p):
        assert row.seconds is not None and row.seconds < 0.5  # no part of making it


def test_adapters_that_are_made_while_answering_say_how_long_it_took(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [0.0]

    def tick(seconds: float) -> None:
        clock[0] += seconds

    monkeypatch.setattr(measure, "time", SimpleNamespace(perf_counter=lambda: clock[0]))
    rows = asked(desk, way(desk, Queried(desk.bench, tick)))
    assert {(row.adapter_seconds, row.enrol_seconds, row.kept_bytes) for row in rows} == {(1.0, 0.0, 0)}
    assert all(row.seconds is not None and row.seconds >= 1.0 for row in rows)
    for source in (Own(desk.bench), Alike(desk.bench)):
        assert {row.adapter_seconds for row in asked(desk, way(desk, source))} == {0.0}


def test_a_query_that_cannot_be_asked_or_scored_fails_alone(desk: Desk) -> None:
    pairs = people()
    long = "x" * 400
    odd = replace(pairs[2][1][0], task="lamp_1", input=f'For an author who has written the paper with the title "a", '
                  f'which reference is related? {long}')  # fmt: skip
    rated = tuple(replace(q, task="rating", input="Rate this: x", target="7") for q in pairs[1][1][:1])
    changed = [pairs[0], (pairs[1][0], rated), (pairs[2][0], (odd,)), *pairs[3:]]
    rows = asked(desk, way(desk, Own(desk.bench)), stored(changed), at_once=5)
    failed = {row.example_id: row for row in rows if row.failure}
    assert set(failed) == {odd.id, rated[0].id}
    assert failed[odd.id].output is None and failed[rated[0].id].output is not None
    assert failed[rated[0].id].score is None and sum(row.score is not None for row in rows) == 6


def test_a_source_that_breaks_leaves_the_model_to_the_others(desk: Desk) -> None:
    from tailorlm.evaluation.runner import answered

    right = outputs(asked(desk, way(desk, Own(desk.bench))))
    broken = way(desk, Own(desk.bench, breaks=True))
    rows = asked(desk, broken)
    assert {row.failure for row in rows} == {"secret"} and {row.output for row in rows} == {None}
    assert outputs(asked(desk, way(desk, Own(desk.bench)))) == right

    def unready() -> Prepared:
        raise RuntimeError("not prepared")

    lost = Sourced(desk, unready, {"none": shown("none")}, [method("none")], 0)
    user, queries = people()[0]
    chunk = Chunk("dev", 0, {user.id: user}, queries)
    cells = [Cell(lost.methods[0], task, "dev", 0) for task in chunk.of_task]
    [(_, first), (_, second)] = answered(lost, chunk, cells, lambda error: f"so: {error}")
    assert first[0].failure == second[0].failure == "so: not prepared"


def test_a_control_is_over_when_its_rows_are_made(desk: Desk) -> None:
    prepared = Prepared(Own(desk.bench), Fitted(desk.profile))
    one = Sourced(desk, lambda: prepared, {"none": shown("none")}, [method("none")], 0, 0, "words_shuffled")
    user, queries = people()[0]
    chunk = Chunk("dev", 0, {user.id: user}, queries)
    before = prepared.profile(user.id, user.history, None)
    making = one.rows(chunk, [Cell(one.methods[0], task, "dev", 0) for task in chunk.of_task])
    next(making)
    assert prepared.profile(user.id, user.history, None) != before
    list(making)
    assert prepared.profile(user.id, user.history, None) == before  # a source that begins here gets the right one
