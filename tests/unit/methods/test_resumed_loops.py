"""A source that the training loop trains goes on with its own base, items and start: shapes alone would fit others."""

from dataclasses import replace

import pytest
import torch
from described_tasks import TRAIN, settings, start

from tailorlm.adapters.peft_files import load_peft, save_peft
from tailorlm.methods import mt_lora, p2p, text_to_lora
from tailorlm.methods.batches import BatchSettings
from tailorlm.methods.objectives import LossSettings
from tailorlm.methods.reconstruction import TARGETS
from tailorlm.methods.source import shared_start
from tailorlm.training import checkpoints
from tailorlm.training.checkpoints import saved_steps

PLAIN = LossSettings(smoothing=0.0, neftune=0.0, dropout=0.0)
BATCH = BatchSettings(users=8, rows=1)
NET = p2p.NetSettings(latent=16, head_in=24, dropout=0.0, components=6)
ALL = ["mt_lora", "p2p", "text_to_lora"]


@pytest.fixture(scope="module")
def bench(bench):
    return replace(bench, max_tokens=128)


@pytest.fixture(scope="module")
def trainees(people, tasks):
    """Who each source is trained on."""
    few = [replace(user, history=user.history[:8]) for user in people]
    return {"mt_lora": few, "p2p": few, "text_to_lora": tasks}


def source(name, bench, begin=None, steps=4):
    how = replace(TRAIN, steps=steps)
    if name == "mt_lora":
        return mt_lora.Source(bench, mt_lora.Settings(loss=PLAIN, batch=BATCH, train=how))
    if name == "p2p":
        given = p2p.Settings(net=NET, loss=PLAIN, batch=BATCH, train=how, facet_users=1)
        return p2p.Source(bench, given, begin)
    return text_to_lora.Source(bench, settings(steps), begin)


def reworded(user):
    """The user with as many items, whose answers have the same letters and are others."""
    return replace(user, history=tuple(replace(item, output=item.output[::-1]) for item in user.history))


def state(directory):
    return checkpoints.read(saved_steps(directory)[-1])


def weights(directory):
    return {name: tensor for name, tensor in state(directory)["objective"].items() if torch.is_tensor(tensor)}


def same(one, other):
    return one.keys() == other.keys() and all(torch.equal(tensor, other[name]) for name, tensor in one.items())


def files(directory):
    return {path.name: path.read_bytes() for path in directory.rglob("*.pt")}


class Stopped(BaseException):
    """Stands for a process that dies."""


def stopped(monkeypatch, name, bench, users, directory, begin=None):
    """A run of 4 steps that dies after the second."""
    save, steps = checkpoints.save_step, []

    def dying(*given):
        steps.append(save(*given))
        raise Stopped

    with monkeypatch.context() as broken, pytest.raises(Stopped):
        broken.setattr(checkpoints, "save_step", dying)
        source(name, bench, begin).prepare(users, directory)
    assert [path.name for path in steps] == ["step-000000002.pt"]


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("finished", [True, False])
def test_a_run_goes_on_with_its_own_base_and_items_only(
    bench, trainees, other_base, tmp_path, monkeypatch, name, finished
):
    users, there, whole = trainees[name], tmp_path / "run", tmp_path / "whole"
    source(name, bench).prepare(users, whole)
    if finished:
        source(name, bench).prepare(users, there)
    else:
        stopped(monkeypatch, name, bench, users, there)
    before = files(there)
    others = [(other_base, users, "base"), (bench, [reworded(user) for user in users], "training set")]
    for other, whose, said in others:
        with pytest.raises(ValueError, match=rf"run was made with another {said} \(saved \w+, given \w+\)\. Resume"):
            source(name, other).prepare(whose, there, resume=True)
    assert files(there) == before
    again = source(name, bench)
    again.prepare(users, there, resume=True)  # its own goes on, to what it would have become
    assert state(there)["position"]["step"] == 4 and same(weights(there), weights(whole))


@pytest.mark.parametrize("name", ["p2p", "text_to_lora"])
def test_a_run_goes_on_with_its_own_start_only(bench, trainees, tmp_path, monkeypatch, name):
    users, there, one = trainees[name], tmp_path / "run", start(bench)
    stopped(monkeypatch, name, bench, users, there, shared_start(one))
    other = replace(one, tensors={key: tensor * 1.1 for key, tensor in one.tensors.items()})
    for begin in (None, shared_start(other)):
        with pytest.raises(ValueError, match="another start"):
            source(name, bench, begin).prepare(users, there, resume=True)
    backbone = bench.backbone
    save_peft(one, [tmp_path / "shared"], backbone.id, None, {})  # as a run in another process reads it
    read = load_peft(tmp_path / "shared", backbone.sites(text_to_lora.Settings().lora.targets))
    source(name, bench, shared_start(read)).prepare(users, there, resume=True)
    assert state(there)["position"]["step"] == 4


@pytest.mark.parametrize("name", ALL)
def test_a_state_of_an_older_version_goes_on(bench, trainees, other_base, tmp_path, name):
    users, there = trainees[name], tmp_path / "run"
    source(name, bench).prepare(users, there)
    for path in saved_steps(there):
        old = checkpoints.read(path)
        del old["about"]
        checkpoints.write(path, old)
    source(name, other_base).prepare(users, there, resume=True)  # what it was made with is not known


def test_a_base_in_float16_is_not_compared(bench, trainees, tmp_path, monkeypatch):
    users, there = trainees["mt_lora"], tmp_path / "run"
    monkeypatch.setattr("tailorlm.methods.made_for.fingerprint", lambda backbone: "one")
    source("mt_lora", bench).prepare(users, there)
    assert state(there)["about"]["base"] == "one"
    monkeypatch.setattr("tailorlm.methods.made_for.base", lambda backbone: "")
    source("mt_lora", bench).prepare(users, there, resume=True)


def test_reconstruction_does_not_go_on_to_targets_that_were_made_anew(bench, tasks, other_base, tmp_path):
    def reconstructing(bench):
        return text_to_lora.Source(bench, settings(2, "z_score"))

    reconstructing(bench).prepare(tasks, tmp_path)
    reconstructing(bench).prepare(tasks, tmp_path, resume=True)
    (tmp_path / TARGETS).unlink()
    with pytest.raises(ValueError, match=r"another base .*; another training set"):
        reconstructing(other_base).prepare(tasks, tmp_path, resume=True)
