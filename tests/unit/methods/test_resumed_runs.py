"""A run that was stopped goes on with what it was made of, and with nothing of the same size, name or shape."""

from dataclasses import replace

import pytest
import torch
from described_tasks import settings, start, task

from tailorlm.adapters.batch import Adapters
from tailorlm.methods import per_pcs, prisp, text_to_lora
from tailorlm.methods.further import TaskSettings
from tailorlm.methods.gates import GateSettings
from tailorlm.methods.lora import LoraSettings
from tailorlm.methods.reconstruction import TARGETS, TargetSettings
from tailorlm.methods.sharers import SharerSettings
from tailorlm.methods.source import shared_start
from tailorlm.training.many import ManySettings

RATE = ManySettings(learning_rate=1e-2)
LORA = LoraSettings(rank=2)


@pytest.fixture(scope="module")
def bench(bench):
    return replace(bench, max_tokens=128)


@pytest.fixture(scope="module")
def six(people):
    return [replace(user, history=user.history[:6]) for user in people]


def same(one, other):
    return all(torch.equal(t, other.tensors[name]) for name, t in one.tensors.items())


def reworded(user):
    """The user with as many items of other words."""
    items = [replace(item, output=item.output[::-1]) for item in user.history]
    return replace(user, history=tuple(items))


class Further:
    """PRISP's anchor, trained on task data."""

    def __init__(self, bench, lora=LORA, **given):
        task = TaskSettings(data="all", epochs=1, train=RATE, **given)
        self.source = prisp.Source(bench, prisp.Settings(lora=lora, begin="fresh", task=task))

    def run(self, users, directory, resume=False):
        self.source.prepare(users, directory, resume)
        return self.source.start.one()


def test_an_anchor_s_further_training_goes_on_with_its_own_items_base_and_settings(bench, six, other_base, tmp_path):
    mine, theirs, there = six[:3], six[3:], tmp_path / "run"
    made = Further(bench).run(mine, there)
    assert isinstance(made, Adapters) and same(Further(bench).run(mine, there, resume=True), made)
    others = [
        (Further(bench), theirs),
        (Further(bench), [reworded(user) for user in mine]),
        (Further(bench, dropout=0.5), mine),
        (Further(bench, lora=replace(LORA, alpha=64.0)), mine),
        (Further(other_base), mine),
        (Further(replace(bench, max_tokens=112)), mine),
    ]
    for other, users in others:
        with pytest.raises(ValueError, match="holds the training of other users, items, settings"):
            other.run(users, there, resume=True)
    assert same(Further(bench).run(mine, there, resume=True), made)  # what is there was left as it was


def per_pcs_of(bench):
    sharing = SharerSettings(clusters=2, more_than=3, epochs=1, lora=LORA, train=RATE)
    return per_pcs.Source(bench, per_pcs.Settings(sharers=sharing, gates=GateSettings(steps=2, train=RATE)))


@pytest.mark.parametrize("kind", ["sharers", "gates"])
def test_sharers_and_gates_go_on_on_their_own_base_and_rows(bench, six, other_base, tmp_path, kind):
    made, there = per_pcs_of(bench), tmp_path / "run"
    made.prepare(six, there)
    if kind == "gates":
        for path in there.glob("sharers-*.pt"):
            path.unlink()  # they are made anew, and their gates are not theirs
    for other in (other_base, replace(bench, max_tokens=96)):
        with pytest.raises(ValueError, match=f"{kind}-00000.pt was made of other users, items, settings or weights"):
            per_pcs_of(other).prepare(six, there, resume=True)
        if kind == "gates":
            for path in there.glob("sharers-*.pt"):
                path.unlink()
    again = per_pcs_of(bench)
    again.prepare(six, there, resume=True)
    assert same(again.sharers.adapters, made.sharers.adapters)


def reconstructing(bench, epochs=1, begin=None):
    given = replace(settings(2, "z_score"), targets=TargetSettings(epochs=epochs))
    return text_to_lora.Source(bench, given, begin)


def test_targets_are_kept_for_their_own_examples_settings_start_and_base(bench, tasks, other_base, tmp_path):
    there = tmp_path / "run"
    reconstructing(bench).prepare(tasks, there)
    made = (there / TARGETS).read_bytes()
    reconstructing(bench).prepare(tasks, there, resume=True)
    others = [
        (reconstructing(bench, epochs=6), tasks),
        (reconstructing(bench), [task("loud", "#"), *tasks[1:]]),
        (reconstructing(bench, begin=shared_start(start(bench))), tasks),
        (reconstructing(other_base), tasks),
    ]
    for other, users in others:
        with pytest.raises(ValueError, match=r"targets.pt was made of other examples, `targets` settings, start or b"):
            other.prepare(users, there, resume=True)
    source = reconstructing(bench)
    one = start(bench)
    given = Adapters(one.space, {name: t.repeat(4, 1, 1, 1) for name, t in one.tensors.items()})
    with pytest.raises(ValueError, match="was made of other examples"):
        source.prepare_tasks(source.tasks(tasks), there, resume=True, targets=given)
    assert (there / TARGETS).read_bytes() == made
