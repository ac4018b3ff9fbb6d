"""Users' training that was stopped or interrupted goes on exactly, from its own saved state only."""

import signal
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

import pytest
import torch
from many_regression import IDS, SETTINGS, Loss, data, rows_of, start

from tailorlm.training.interrupts import Interrupted
from tailorlm.training.many import ManySettings, train_many
from tailorlm.training.many_files import Saving
from tailorlm.training.plan import plan_epochs


class Stop(Exception):
    """A run that is killed."""


@pytest.mark.parametrize("stop", [1, 3, 7, 16])
def test_a_stopped_run_goes_on_exactly(tmp_path: Path, stop: int) -> None:
    loss, plan = Loss(*data(), dropout=0.2), plan_epochs(IDS, rows_of(), epochs=4, batch=3)
    whole = train_many(loss, start(), plan, SETTINGS)
    saving = Saving(tmp_path / "deep" / "state.pt", every=3)

    def die(step: int, steps: int) -> None:
        if step == stop:
            raise Stop

    with pytest.raises(Stop):
        train_many(loss, start(), plan, SETTINGS, die, saving=saving)
    taken: list[int] = []
    again = train_many(loss, start(), plan, SETTINGS, lambda at, of: taken.append(at), saving=saving)
    assert taken == list(range(3 * (stop // 3) + 1, 17)) if stop < 16 else taken == []
    assert all(torch.equal(whole.params[name], again.params[name]) for name in whole.params)
    assert whole.losses == again.losses
    assert saving.path.parent.stat().st_mode & 0o777 == 0o700 and len(list(saving.path.parent.iterdir())) == 1


def test_a_saved_state_is_only_for_its_own_run(tmp_path: Path) -> None:
    loss, plan = Loss(*data()), plan_epochs(IDS, rows_of(), epochs=1, batch=3)
    saving = Saving(tmp_path / "state.pt")
    train_many(loss, start(), plan, SETTINGS, saving=saving)
    others = [
        (start(), plan, ManySettings(learning_rate=1e-2)),
        (start(seed=4), plan, SETTINGS),
        (start(), plan_epochs(IDS, rows_of(), epochs=1, batch=3, seed=1), SETTINGS),
    ]
    for params, other, settings in others:
        with pytest.raises(ValueError, match="other users, items, settings"):
            train_many(loss, params, other, settings, saving=saving)
    with pytest.raises(ValueError, match="every is 0"):
        Saving(tmp_path / "state.pt", every=0)


@pytest.fixture(params=[signal.default_int_handler, signal.SIG_IGN], ids=["foreground", "nohup"])
def inherited(request: pytest.FixtureRequest) -> Iterator[object]:
    """What SIGINT does before training, whatever this process began with: background jobs begin with it ignored."""
    before = signal.signal(signal.SIGINT, request.param)
    yield request.param
    signal.signal(signal.SIGINT, before)


def test_an_interrupt_finishes_the_step_and_keeps_it(tmp_path: Path, inherited: object) -> None:
    loss, plan = Loss(*data()), plan_epochs(IDS, rows_of(), epochs=4, batch=3)
    saving = Saving(tmp_path / "state.pt", every=1000)

    def interrupt(step: int, grads: object) -> None:
        if step == 4:
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(Interrupted) as caught:
        train_many(loss, start(), plan, SETTINGS, saving=saving, observe=interrupt)
    assert caught.value.step == 5
    again = train_many(loss, start(), plan, SETTINGS, saving=saving)
    whole = train_many(loss, start(), plan, SETTINGS)
    assert all(torch.equal(whole.params[name], again.params[name]) for name in whole.params)
    assert signal.getsignal(signal.SIGINT) is inherited


def test_without_a_file_an_interrupt_is_as_everywhere(inherited: object) -> None:
    loss, plan = Loss(*data()), plan_epochs(IDS, rows_of(), epochs=1, batch=3)
    raised = pytest.raises(KeyboardInterrupt) if inherited is signal.default_int_handler else nullcontext()
    with raised as plain:
        train_many(loss, start(), plan, SETTINGS, observe=lambda step, grads: signal.raise_signal(signal.SIGINT))
    assert plain is None or not isinstance(plain.value, Interrupted)
