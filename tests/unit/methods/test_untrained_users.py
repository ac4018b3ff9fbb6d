"""Who has nothing to train on has the start alone, whatever the kind: a fresh prompt or prefix is random."""

from dataclasses import replace

import pytest
import torch

from tailorlm.adapters.batch import Adapters
from tailorlm.backbone.generate import score
from tailorlm.backbone.inject import Injector
from tailorlm.backbone.prompt import Prompt
from tailorlm.data.records import Example, User
from tailorlm.methods import oppu
from tailorlm.methods.exports import export, left_out
from tailorlm.methods.lora import LoraSettings
from tailorlm.methods.source import Start, shared_start
from tailorlm.methods.tuned import Tuned
from tailorlm.training.many import ManySettings

KINDS = ["lora", "ia3", "prompt_tuning", "prefix_tuning"]
VIRTUAL = KINDS[2:]
EMPTY = User("nobody", ())
TRAIN = ManySettings(learning_rate=3e-2, epsilon=1e-3)
EXACT = 1e-5


def task_lora(bench):
    space, chance = LoraSettings().space(bench.backbone), torch.Generator().manual_seed(3)
    shapes = space.shapes().items()
    return Adapters(space, {name: 0.3 * torch.randn(1, *shape, generator=chance) for name, shape in shapes})


def start_of(bench, kind):
    """None, one for all, or each one's own."""
    if kind == "none":
        return None
    task = task_lora(bench)
    return shared_start(task) if kind == "shared" else Start(task.space, lambda owners: task)


def made(bench, kind, start, **given):
    return oppu.Source(bench, oppu.Settings(kind=kind, epochs=1, batch=2, train=TRAIN, **given), start_of(bench, start))


def said(bench, injector, adapters, index):
    prompts = [Prompt("a headline, please: rain")] * len(index)
    return score(bench.backbone, injector, prompts, ["yes, of course"] * len(index), adapters, index)


def asked(bench, source, roster, users):
    adapters, index = source.adapters([Example("q", user.id, None, "x", "y") for user in users], roster)
    return said(bench, source.injector, adapters, index.tolist())


def alone(bench, start, rows=1):
    """What the start says without anything of a user's."""
    if start == "none":
        return said(bench, Injector(bench.backbone.model, LoraSettings().space(bench.backbone)), None, [-1] * rows)
    task = task_lora(bench)
    return said(bench, Injector(bench.backbone.model, task.space), task, [0] * rows)


@pytest.fixture(scope="module")
def active(people):
    return replace(people[0], history=tuple(item for item in people[0].history if item.task == "headline")[:3])


@pytest.fixture(scope="module")
def pairless(people):
    """Items, none of which makes a row: of all tasks, asked for one of another."""
    return replace(people[1], history=tuple(item for item in people[1].history if item.task == "tweet")[:3])


@pytest.mark.parametrize("start", ["none", "shared", "own"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_user_without_rows_has_the_start_alone(bench, active, kind, start):
    source = made(bench, kind, start)
    roster = source.enrol([EMPTY, active])
    found, expected = asked(bench, source, roster, [EMPTY, active]), alone(bench, start, 2)
    assert (found - expected)[0].abs() < EXACT
    assert (found - expected)[1].abs() > 1e-3  # who has items is trained
    if start != "none":
        assert (found[0] - alone(bench, "none")[0]).abs() > 1e-2  # the start is there


@pytest.mark.parametrize("start", ["none", "shared"])
@pytest.mark.parametrize("kind", VIRTUAL)
def test_items_that_make_no_row_are_nothing_to_train_on(bench, active, pairless, kind, start):
    source = made(bench, kind, start, items=oppu.ItemSettings(scope="task"))
    roster = source.enrol([pairless, active], ["headline"])
    adapters, index = source.adapters([Example("q", pairless.id, "headline", "x", "y")], roster)
    assert (said(bench, source.injector, adapters, index.tolist()) - alone(bench, start)).abs().max() < EXACT


@pytest.mark.parametrize("start", ["none", "shared", "own"])
@pytest.mark.parametrize("kind", VIRTUAL)
def test_the_first_items_train_what_is_then_the_users(bench, active, kind, start, tmp_path):
    source = made(bench, kind, start)
    roster = source.enrol([active, EMPTY])
    roster.tuned.save(tmp_path / "kept" / "users.pt")
    again = source.restored([EMPTY, active], Tuned.load(tmp_path / "kept" / "users.pt"))
    assert torch.equal(asked(bench, source, again, [EMPTY, active]), asked(bench, source, roster, [EMPTY, active]))
    unchanged = source.more(again, [EMPTY])
    assert (asked(bench, source, unchanged, [EMPTY]) - alone(bench, start)).abs().max() < EXACT
    grown = replace(EMPTY, history=active.history)
    later = source.more(again, [grown])
    at_once = source.enrol([grown])
    assert torch.allclose(asked(bench, source, later, [grown]), asked(bench, source, at_once, [grown]), atol=1e-4)
    assert torch.equal(asked(bench, source, later, [active]), asked(bench, source, roster, [active]))
    assert not later.tuned.untrained and again.tuned.untrained == {("nobody", None)}


@pytest.mark.parametrize("kind", VIRTUAL)
def test_noise_is_nobodys_export(bench, active, kind, tmp_path):
    source = made(bench, kind, "none")
    roster = source.enrol([EMPTY, active])
    assert [folder.name for folder in export(roster, tmp_path / "kept", bench.backbone, {})] == [active.id]
    assert [path.name for path in (tmp_path / "kept").iterdir()] == [active.id]
    assert left_out(roster) == "1 of 2 have no adapter of their own (nothing to train on): the base model answers"
    with pytest.raises(ValueError, match="the base model answers"):
        export(source.enrol([EMPTY]), tmp_path / "none", bench.backbone, {})
    whole = made(bench, "lora", "none").enrol([EMPTY, active])
    assert left_out(whole) is None and len(export(whole, tmp_path / "lora", bench.backbone, {})) == 2
