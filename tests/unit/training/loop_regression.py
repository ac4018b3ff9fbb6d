"""A tiny regression with dropout for the loop: its batches, objective and settings, and what a run left."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from tailorlm.training.curve import read_curve
from tailorlm.training.loop import Result, train
from tailorlm.training.settings import TrainSettings


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


SETTINGS = TrainSettings(steps=20, learning_rate=1e-2, save_every=4, evaluate_every=3, monitor="score", accumulate=2)


def evaluation(objective: Regression) -> Any:
    def evaluate() -> dict[str, float]:
        objective.net.eval()
        torch.rand(7)  # draws from training's stream, which must not matter
        with torch.no_grad():
            return {"score": -float(objective.net(torch.ones(1, 4)).abs())}

    return evaluate


def run_all(directory: Path, objective: Regression, resume: bool = False) -> Result:
    return train(objective, Stream(4), SETTINGS, directory, evaluate=evaluation(objective), resume=resume)
