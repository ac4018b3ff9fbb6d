"""How long prompts may be: the answer and an adapter's virtual tokens take their room, and a row may have its own."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from tailorlm.adapters.batch import Adapters
from tailorlm.adapters.prompt_tuning import Space
from tailorlm.assembly.benches import load_base, make_bench
from tailorlm.assembly.compared import Compared
from tailorlm.assembly.profilers import Known, make
from tailorlm.assembly.recipes import BaseSettings, ProfileSettings
from tailorlm.assembly.remembered import Fitted, Remembered
from tailorlm.assembly.sources import Prepared
from tailorlm.assembly.store import stored
from tailorlm.backbone.inject import Injector
from tailorlm.data.records import Example, Interaction, User
from tailorlm.evaluation.plan import Cell, Method, Plan
from tailorlm.evaluation.rows import Row
from tailorlm.evaluation.runner_desk import Desk, Shown, generating, virtual_tokens
from tailorlm.evaluation.runner_sources import Sourced
from tailorlm.methods import none
from tailorlm.methods.answering import longest
from tailorlm.methods.source import Bench, Roster
from tailorlm.plugins import find

POSITIONS, VIRTUAL = 512, 30


class Prompted:
    """Virtual tokens for everybody."""

    def __init__(self, bench: Bench) -> None:
        self.space = Space(VIRTUAL, 16)
        self.injector = Injector(bench.backbone.model, self.space)

    def enrol(self, users: Sequence[User], tasks: Sequence[str] = ()) -> Roster:
        made = Adapters(self.space, {"prompt": torch.randn(len(users), VIRTUAL, 16)})
        return Roster(made, {(user.id, None): n for n, user in enumerate(users)})

    def adapters(self, requests: Sequence[Example], roster: Roster):
        return roster.adapters, torch.tensor(roster.index(requests))


@pytest.fixture(scope="module")
def desk(tiny_base: Path) -> Desk:
    backbone = load_base(BaseSettings(name=str(tiny_base), dtype="float32"))
    profile = Remembered(make(ProfileSettings(), Known()))
    bench = make_bench(backbone, profile, None, POSITIONS)
    history = tuple(Interaction(f"Write a headline: item {n}", f"said {n}", n, "headline") for n in range(40))
    store = stored([(User("u", history), (Example("q", "u", "headline", "Write a headline: news", "drama", 99.0),))])
    return Desk(bench, profile, {"dev": store}, store.users(), generating(bench, 2), lambda error: str(error))


def answered(desk: Desk, source: object, max_tokens: int = 0) -> Row:
    module = find("contexts", "full_history")
    shown = Shown.of(module, module.Settings(), max_tokens)
    method = Method("m", "own", "full_history", {})
    one = Sourced(desk, lambda: Prepared(source, Fitted(desk.profile)), {"m": shown}, [method], 0)
    chunk = next(Plan(Path("nowhere"), desk.splits, [one], 1).chunks("dev", 0))
    [(_, [row])] = one.rows(chunk, [Cell(method, "headline", "dev", 0)])
    return row


def test_the_answer_and_virtual_tokens_take_their_room(desk: Desk) -> None:
    task = desk.bench.task_of("headline")
    new = task.max_new_tokens
    assert longest(desk.bench, task) == POSITIONS - new
    assert longest(desk.bench, task, virtual=VIRTUAL) == POSITIONS - VIRTUAL - new
    # Where the recipe leaves room for them, they cost the text nothing.
    short = replace(desk.bench, max_tokens=POSITIONS - VIRTUAL)
    assert longest(short, task) == longest(short, task, virtual=VIRTUAL) == POSITIONS - VIRTUAL - new
    assert longest(desk.bench, task, new + 1) == 1 and longest(desk.bench, task, 10**6) == POSITIONS - new
    with pytest.raises(ValueError, match=f"max_tokens is {new}, and answers of task 'headline' may take {new}"):
        longest(desk.bench, task, new)
    assert longest(replace(desk.bench, max_tokens=new), task, virtual=VIRTUAL) == POSITIONS - VIRTUAL - new


def test_an_adapter_of_virtual_tokens_answers_where_the_recipe_has_all_positions(desk: Desk) -> None:
    base, row = answered(desk, none.Source(desk.bench, none.Settings())), answered(desk, Prompted(desk.bench))
    assert row.failure is None and base.failure is None
    new = desk.bench.task_of("headline").max_new_tokens
    item = 60  # a prompt ends with the last whole item that fits
    assert POSITIONS - VIRTUAL - new - item < row.prompt_tokens <= POSITIONS - VIRTUAL - new < base.prompt_tokens


def test_a_row_has_its_own_length(desk: Desk) -> None:
    source = none.Source(desk.bench, none.Settings())
    new = desk.bench.task_of("headline").max_new_tokens
    few = answered(desk, source, new + 200)
    assert few.prompt_tokens <= 200 < answered(desk, source).prompt_tokens
    assert few.context_tokens < answered(desk, source).context_tokens  # whole items are left out
    assert "max_tokens is 5" in (answered(desk, source, 5).failure or "")


def test_virtual_tokens_of_adapters(desk: Desk) -> None:
    assert virtual_tokens(None) == 0
    assert virtual_tokens(Prompted(desk.bench).enrol([User("u", ())]).adapters) == VIRTUAL


def test_a_length_below_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="max_tokens is -1"):
        Compared(name="a", max_tokens=-1)
