"""The loop on a tiny regression with dropout: accumulation, resume, Ctrl-C, NaN, evaluation, budget."""

import os
import signal
import stat
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tailorlm.training.checkpoints import saved_steps
from tailorlm.training.curve import read_curve
from tailorlm.training.interrupts import Interrupted
from tailorlm.training.loop import Result, train
from tailorlm.training.settings import TrainSettings
from tailorlm.training.step import NonFiniteLoss


@dataclass(frozen=True)
class Rows:
    ids: tuple[str, ...]
    x: Tensor
    y: Tensor


class Stream:
    """An endless stream of random rows; row ids count up."""

    def __init__(self, rows: int, seed: int = 0) -> None:
        self.rows, self.at = rows, 0
        self.generator = torch.Generator().manual_seed(seed)

    def __next__(self) -> Rows:
        x = torch.randn(self.rows, 4, generator=self.generator)
        ids = tuple(f"row{self.at + i}" for i in range(self.rows))
        self.at += self.rows
        return Rows(ids, x, x.sum(-1, keepdim=True).tanh())

    def state_dict(self) -> dict[str, Any]:
        return {"at": self.at, "generator": self.generator.get_state()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.at = state["at"]
        self.generator.set_state(state["generator"])


class Regression:
    """A small network with dropout; `spoil(step)` may alter the losses of a call."""

    def __init__(self, dropout: float = 0.1, spoil: Any = None) -> None:
        torch.manual_seed(1)
        self.net = nn.Sequential(nn.Linear(4, 16), nn.Tanh(), nn.Dropout(dropout), nn.Linear(16, 1))
        self.calls, self.spoil = 0, spoil

    def parameters(self) -> Iterable[nn.Parameter]:
        return self.net.parameters()

    def loss(self, batch: Rows) -> tuple[Tensor, dict[str, float | Tensor]]:
        self.net.train()
        losses = (self.net(batch.x) - batch.y).square().mean(-1)
        self.calls += 1
        if self.spoil is not None:
            losses = self.spoil(self.calls, losses)
        return losses, {"half": losses.mean() / 2}

    def state_dict(self) -> dict[str, Any]:
        return self.net.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.net.load_state_dict(state)


def numbers(directory: Path) -> list[tuple[Any, ...]]:
    """A curve without what depends on the clock."""
    names = ("step", "loss", "grad_norm", "lr", "half")
    return [tuple(record[name] for name in names) for record in read_curve(directory / "curve.jsonl")]


def weights(objective: Regression) -> Tensor:
    return torch.cat([p.detach().flatten() for p in objective.parameters()])


def test_the_loss_falls_and_the_folder_is_private(tmp_path: Path) -> None:
    run = tmp_path / "runs" / "one"
    result = train(Regression(), Stream(8), TrainSettings(steps=150, learning_rate=1e-2), run)
    curve = read_curve(run / "curve.jsonl")
    assert result.stopped == "steps" and len(curve) == 150
    assert sum(r["loss"] for r in curve[-20:]) < 0.6 * sum(r["loss"] for r in curve[:20])
    assert stat.S_IMODE(run.stat().st_mode) == 0o700


@pytest.mark.parametrize("rows", [(2, 2, 2, 2), (1, 4, 3)])
def test_accumulation_equals_the_large_batch(tmp_path: Path, rows: tuple[int, ...]) -> None:
    large = Stream(8)

    class Split(Stream):
        """The large stream's batches in unequal parts."""

        def __init__(self) -> None:
            super().__init__(8)
            self.parts: list[Rows] = []

        def __next__(self) -> Rows:
            if not self.parts:
                whole, start = super().__next__(), 0
                for n in rows:
                    cut = slice(start, start + n)
                    self.parts.append(Rows(whole.ids[cut], whole.x[cut], whole.y[cut]))
                    start += n
            return self.parts.pop(0)

    one, many = Regression(dropout=0.0), Regression(dropout=0.0)
    settings = TrainSettings(steps=30, learning_rate=1e-2, clip=0.1)
    train(one, large, settings, tmp_path / "one")
    accumulated = TrainSettings(steps=30, learning_rate=1e-2, clip=0.1, accumulate=len(rows))
    train(many, Split(), accumulated, tmp_path / "many")
    assert torch.allclose(weights(one), weights(many), atol=1e-6)
    for a, b in zip(numbers(tmp_path / "one"), numbers(tmp_path / "many"), strict=True):
        assert a == pytest.approx(b, rel=1e-4)


SETTINGS = TrainSettings(
    steps=20, learning_rate=1e-2, save_every=4, evaluate_every=3, monitor="score", accumulate=2
)


def evaluation(objective: Regression) -> Any:
    def evaluate() -> dict[str, float]:
        objective.net.eval()
        torch.rand(7)  # draws from training's stream, which must not matter
        with torch.no_grad():
            return {"score": -float(objective.net(torch.ones(1, 4)).abs())}

    return evaluate


def run_all(directory: Path, objective: Regression, resume: bool = False) -> Result:
    return train(
        objective, Stream(4), SETTINGS, directory, evaluate=evaluation(objective), resume=resume
    )


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


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_loss_that_is_not_finite_stops_before_the_step_with_the_ids(tmp_path: Path, value: float) -> None:
    seen: list[Tensor] = []

    def spoil(calls: int, losses: Tensor) -> Tensor:
        if calls == 10:
            seen.append(weights(objective))
            return losses + torch.tensor([0.0, value, 0.0, 0.0])
        return losses

    objective = Regression(spoil=spoil)
    with pytest.raises(NonFiniteLoss, match=r"step 5: the loss .* infinite: row37;") as caught:
        run_all(tmp_path, objective)
    assert caught.value.ids == ("row37",)
    assert torch.equal(weights(objective), seen[0])
