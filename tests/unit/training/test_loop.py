"""The loop on a tiny regression with dropout: accumulation, NaN, early stop, evaluation, budget, precision."""

import io
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from accelerate.state import AcceleratorState
from loop_regression import SETTINGS, Regression, Rows, Stream, evaluation, numbers, run_all, weights
from rich.console import Console
from torch import Tensor

from tailorlm.training.curve import read_curve
from tailorlm.training.loop import train
from tailorlm.training.settings import TrainSettings
from tailorlm.training.step import NonFiniteLoss


def test_the_loss_falls_and_the_folder_is_private(tmp_path: Path) -> None:
    run = tmp_path / "runs" / "one"
    result = train(Regression(), Stream(8), TrainSettings(steps=100, learning_rate=1e-2), run)
    curve = read_curve(run / "curve.jsonl")
    assert result.stopped == "steps" and len(curve) == 100
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


def test_a_gradient_that_is_not_finite_stops_before_the_step_too(tmp_path: Path) -> None:
    def spoil(calls: int, losses: Tensor) -> Tensor:
        return losses + (losses * 0.0).sqrt() if calls == 3 else losses

    objective = Regression(spoil=spoil)
    with pytest.raises(NonFiniteLoss, match=r"step 3: the gradient .* row4, row5;"):
        train(objective, Stream(2), TrainSettings(steps=5), tmp_path)
    assert len(numbers(tmp_path)) == 2 and weights(objective).isfinite().all()


def scripted(values: list[float]) -> Any:
    left = iter(values)
    return lambda: {"score": next(left)}


@pytest.mark.parametrize(
    ("mode", "values", "best", "last"),
    [
        ("max", [0.1, 0.5, 0.4, 0.5, 0.9], 4, 8),
        ("min", [0.9, 0.3, 0.4, 0.35], 4, 8),
        ("max", [float("nan"), 0.2, float("nan"), float("nan")], 4, 8),
        ("max", [0.1, 0.2, 0.1, 0.3, 0.4, 0.5], 12, 12),
    ],
)
def test_early_stop_keeps_and_restores_the_best(
    tmp_path: Path, mode: str, values: list[float], best: int, last: int
) -> None:
    seen: dict[int, Tensor] = {}
    objective = Regression()
    give = scripted(values)

    def evaluate() -> dict[str, float]:
        seen[len(seen) * 2 + 2] = weights(objective)
        return dict(give())

    settings = TrainSettings(steps=12, evaluate_every=2, monitor="score", mode=mode, patience=2)
    result = train(objective, Stream(4), settings, tmp_path, evaluate=evaluate)
    assert (result.position.best_step, result.position.step) == (best, last)
    assert result.stopped == ("early" if last < 12 else "steps")
    assert torch.equal(weights(objective), seen[best])


def test_evaluation_changes_no_number_of_training(tmp_path: Path) -> None:
    settings = TrainSettings(steps=9, learning_rate=1e-2)
    train(Regression(), Stream(4), settings, tmp_path / "plain")
    evaluated = Regression()
    often = TrainSettings(steps=9, learning_rate=1e-2, evaluate_every=1)
    train(evaluated, Stream(4), often, tmp_path / "evaluated", evaluate=evaluation(evaluated))
    assert numbers(tmp_path / "plain") == numbers(tmp_path / "evaluated")
    assert len(read_curve(tmp_path / "evaluated" / "evaluations.jsonl")) == 9


def test_a_budget_of_time_ends_the_run_with_a_decayed_rate_and_an_evaluation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [100.0]
    monkeypatch.setattr("tailorlm.training.loop.time", SimpleNamespace(monotonic=lambda: now[0]))

    def tick(calls: int, losses: Tensor) -> Tensor:
        now[0] += 1.0
        return losses

    settings = TrainSettings(steps=1000, max_seconds=20.0, warmup=0.25, learning_rate=1.0, clip=0.1)
    objective = Regression(spoil=tick)
    result = train(objective, Stream(4), settings, tmp_path, evaluate=lambda: {"score": 1.0})
    rates = [record["lr"] for record in read_curve(tmp_path / "curve.jsonl")]
    assert (result.stopped, result.metrics, len(rates)) == ("time", {"score": 1.0}, 20)
    assert rates[1:6] == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0]) and rates[19] == pytest.approx(1 / 15)
    more = TrainSettings(steps=1000, max_seconds=22.0, warmup=0.25, learning_rate=1.0, clip=0.1)
    assert train(Regression(spoil=tick), Stream(4), more, tmp_path, resume=True).position.step == 22


def test_groups_have_their_own_rate(tmp_path: Path) -> None:
    objective = Regression(dropout=0.0)
    head = list(objective.net[3].parameters())
    before = [p.detach().clone() for p in objective.parameters()]
    settings = TrainSettings(steps=1, learning_rate=1e-3, rates={"head": 1e-1}, weight_decay=0.0, warmup=0.0)
    train(objective, Stream(4), settings, tmp_path, groups={"head": head})
    moved = [float((p.detach() - b).abs().max()) for p, b in zip(objective.parameters(), before, strict=True)]
    assert moved == pytest.approx([0.5e-3, 0.5e-3, 0.5e-1, 0.5e-1], rel=1e-2)


def test_bf16_runs_under_autocast_and_float32_after_it_is_float32(tmp_path: Path) -> None:
    seen: list[torch.dtype] = []

    def look(calls: int, losses: Tensor) -> Tensor:
        seen.append(objective.net(torch.ones(1, 4)).dtype)
        return losses

    for precision, dtype in (
        ("float32", torch.float32),
        ("bf16", torch.bfloat16),
        ("float32", torch.float32),
    ):
        objective = Regression(spoil=look)
        settings = TrainSettings(steps=2, precision=precision)
        train(objective, Stream(2), settings, tmp_path / f"{len(seen)}")
        assert seen[-1] is dtype
        assert all(p.dtype is torch.float32 for p in objective.parameters())


def test_accelerates_own_settings_change_no_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = TrainSettings(steps=4, accumulate=2, learning_rate=1e-2)
    train(Regression(), Stream(2), settings, tmp_path / "plain")
    monkeypatch.setenv("ACCELERATE_GRADIENT_ACCUMULATION_STEPS", "4")
    monkeypatch.setenv("ACCELERATE_MIXED_PRECISION", "bf16")
    AcceleratorState._reset_state(reset_partial_state=True)
    train(Regression(), Stream(2), settings, tmp_path / "env")
    assert numbers(tmp_path / "plain") == numbers(tmp_path / "env")


def test_what_cannot_run_is_refused(tmp_path: Path) -> None:
    run_all(tmp_path / "old", Regression())
    with pytest.raises(ValueError, match="has a run already"):
        run_all(tmp_path / "old", Regression())
    with pytest.raises(ValueError, match="nothing that evaluates"):
        train(Regression(), Stream(2), SETTINGS, tmp_path / "none")
    with pytest.raises(ValueError, match=r"monitor is 'score'; the evaluation gives \['other'\]"):
        train(Regression(), Stream(2), SETTINGS, tmp_path / "other", evaluate=lambda: {"other": 1.0})
    with pytest.raises(ValueError, match=r"expected shape \(2,\), received \(\)"):
        scalar = Regression(spoil=lambda calls, losses: losses.mean())
        train(scalar, Stream(2), TrainSettings(), tmp_path / "scalar")
    frozen = Regression()
    frozen.net.requires_grad_(False)
    with pytest.raises(ValueError, match="nothing can be trained"):
        train(frozen, Stream(2), TrainSettings(), tmp_path / "frozen")


def test_the_curve_and_the_lines_have_loss_tokens_and_rate(tmp_path: Path) -> None:
    text = io.StringIO()
    settings = TrainSettings(steps=3, line_seconds=1e-9)
    console = Console(file=text, width=200)
    train(Regression(), Stream(2), settings, tmp_path, tokens=lambda batch: 11 * len(batch.ids), console=console)
    record = read_curve(tmp_path / "curve.jsonl")[-1]
    assert record["tokens"] == 22 and record["half"] == pytest.approx(record["loss"] / 2) and record["seconds"] >= 0
    lines = text.getvalue().splitlines()
    assert len(lines) == 3 and "step 3/3  loss " in lines[-1] and "tokens/s" in lines[-1]


def test_it_runs_outside_the_main_thread(tmp_path: Path) -> None:
    with ThreadPoolExecutor(1) as pool:
        result = pool.submit(train, Regression(), Stream(2), TrainSettings(steps=2), tmp_path).result()
    assert result.position.step == 2
