"""A run that was stopped, killed or finished goes on exactly, and only as the run that it was."""

import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from loop_regression import SETTINGS, Regression, Stream, evaluation, numbers, run_all, weights
from torch import Tensor, nn

from tailorlm.training.checkpoints import saved_steps
from tailorlm.training.curve import read_curve
from tailorlm.training.interrupts import Interrupted
from tailorlm.training.loop import train


class Killed(BaseException):
    """Stands for a process that dies."""


@pytest.mark.parametrize("call", [1, 9, 10, 17, 40])
def test_a_killed_run_continues_its_curve_bit_by_bit(tmp_path: Path, call: int) -> None:
    def die(calls: int, losses: Tensor) -> Tensor:
        if calls == call:
            raise Killed
        return losses

    whole = Regression()
    expected = run_all(tmp_path / "whole", whole)
    with pytest.raises(Killed):
        run_all(tmp_path / "killed", Regression(spoil=die))
    resumed = Regression(dropout=0.1)
    nn.init.zeros_(resumed.net[0].weight) if call > 8 else None
    result = run_all(tmp_path / "killed", resumed, resume=True)
    assert numbers(tmp_path / "killed") == numbers(tmp_path / "whole")
    evaluations = [read_curve(tmp_path / n / "evaluations.jsonl") for n in ("killed", "whole")]
    assert evaluations[0] == evaluations[1] and len(evaluations[0]) == 7
    assert torch.equal(weights(whole), weights(resumed))
    assert (result.stopped, result.metrics) == (expected.stopped, expected.metrics)


def test_ctrl_c_finishes_the_step_saves_and_resumes_exactly(tmp_path: Path) -> None:
    def interrupt(calls: int, losses: Tensor) -> Tensor:
        if calls == 13:
            os.kill(os.getpid(), signal.SIGINT)
        return losses

    before = signal.getsignal(signal.SIGINT)
    run_all(tmp_path / "whole", Regression())
    with pytest.raises(Interrupted, match="resume=True") as caught:
        run_all(tmp_path / "run", Regression(spoil=interrupt))
    assert caught.value.step == 7 and signal.getsignal(signal.SIGINT) is before
    assert saved_steps(tmp_path / "run")[-1].name == "step-000000007.pt"
    run_all(tmp_path / "run", Regression(), resume=True)
    assert numbers(tmp_path / "run") == numbers(tmp_path / "whole")


def test_a_second_ctrl_c_is_immediate(tmp_path: Path) -> None:
    def interrupt_twice(calls: int, losses: Tensor) -> Tensor:
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)
        return losses

    with pytest.raises(KeyboardInterrupt) as caught:
        run_all(tmp_path, Regression(spoil=interrupt_twice))
    assert not isinstance(caught.value, Interrupted) and saved_steps(tmp_path) == []


def test_a_finished_run_resumes_to_its_result(tmp_path: Path) -> None:
    first = Regression()
    expected = run_all(tmp_path, first)
    again = Regression()
    result = run_all(tmp_path, again, resume=True)
    assert torch.equal(weights(first), weights(again)) and len(numbers(tmp_path)) == 20
    assert (result.stopped, result.metrics, result.position.best) == (
        expected.stopped,
        expected.metrics,
        expected.position.best,
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"learning_rate": 1e-3}, "learning_rate: saved 0.01, given 0.001"),
        ({"steps": 40}, "steps: saved 20, given 40"),
        ({"seed": 1}, "seed: saved 0, given 1"),
    ],
)
def test_a_resumed_runs_numbers_cannot_be_changed(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    run_all(tmp_path, Regression())
    other = replace(SETTINGS, **change)
    objective = Regression()
    with pytest.raises(ValueError, match=message):
        train(objective, Stream(4), other, tmp_path, evaluate=evaluation(objective), resume=True)


def test_a_process_killed_outright_resumes_exactly(tmp_path: Path) -> None:
    """SIGKILL between two checkpoints: the curve is cut back to the last one and goes on from there."""
    code = (
        "import os, signal, sys; from pathlib import Path; sys.path.insert(0, sys.argv[1])\n"
        "import loop_regression as t\n"
        "def die(calls, losses):\n"
        "    if calls == 27: os.kill(os.getpid(), signal.SIGKILL)\n"
        "    return losses\n"
        "t.run_all(Path(sys.argv[2]), t.Regression(spoil=die))\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(Path(__file__).parent), str(tmp_path / "run")], check=False)
    assert done.returncode == -signal.SIGKILL
    assert saved_steps(tmp_path / "run")[-1].name == "step-000000012.pt"
    run_all(tmp_path / "run", Regression(), resume=True)
    run_all(tmp_path / "whole", Regression())
    assert numbers(tmp_path / "run") == numbers(tmp_path / "whole")
