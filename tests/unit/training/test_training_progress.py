"""What people see: speed, time left, a bar in a terminal, lines elsewhere; trackers where installed."""

import io
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from tailorlm.training.progress import Meter, clock, display, step_line
from tailorlm.training.trackers import open_tracker


def test_speed_and_time_left() -> None:
    meter = Meter(0.0)
    assert (meter.tokens_per_second, meter.seconds_left) == (0.0, None)
    for step in range(1, 51):
        meter.add(step * 2.0, 300, step / 100)
    assert meter.tokens_per_second == pytest.approx(150)
    assert meter.seconds_left == pytest.approx(100, rel=0.05)
    assert step_line(50, 100, 1.5, meter) == f"step 50/100  loss 1.5000  150 tokens/s  {clock(meter.seconds_left)} left"


def test_clock() -> None:
    assert [clock(s) for s in (None, 0, 59.6, 61, 3725)] == ["-:--", "0:00", "1:00", "1:01", "1:02:05"]


def test_a_terminal_has_a_bar_and_keeps_what_is_said() -> None:
    text = io.StringIO()
    console = Console(file=text, force_terminal=True, width=100)
    with display(console, 30.0) as shown:
        shown.show("step 1/2 [x]", 0.5)
        shown.say("step 1: score [0.5]")
    assert "training" in text.getvalue() and "score [0.5]" in text.getvalue()


def test_elsewhere_lines_come_at_most_every_n_seconds() -> None:
    text = io.StringIO()
    with display(Console(file=text, width=20), 1000.0) as shown:
        for _ in range(50):
            shown.show("step", 0.5)
        shown.say("an evaluation that is longer than the console is wide")
    assert text.getvalue() == "an evaluation that is longer than the console is wide\n"


@pytest.mark.parametrize("name", ["trackio", "wandb", "tensorboard"])
def test_a_missing_tracker_says_how_to_install_it(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ValueError, match=f"pip install {name}"):
        open_tracker(name, "project", tmp_path, {})


@pytest.mark.parametrize("name", ["trackio", "wandb"])
def test_a_trackers_run_gets_numbers_by_step(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[Any] = []
    module: Any = ModuleType(name)
    module.init = lambda **given: calls.append(given)
    module.log = lambda numbers, step: calls.append((numbers, step))
    module.finish = lambda: calls.append("finished")
    monkeypatch.setitem(sys.modules, name, module)
    tracker = open_tracker(name, "mine", tmp_path / "run7", {"steps": 2})
    tracker.log({"train/loss": 1.0}, 1)
    tracker.close()
    assert calls == [
        {"project": "mine", "name": "run7", "config": {"steps": 2}},
        ({"train/loss": 1.0}, 1),
        "finished",
    ]


def test_tensorboard_gets_scalars(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[Any] = []
    writer = SimpleNamespace(add_scalar=lambda *given: calls.append(given), close=lambda: calls.append("closed"))
    module: Any = ModuleType("torch.utils.tensorboard")
    module.SummaryWriter = lambda folder: calls.append(folder) or writer
    monkeypatch.setitem(sys.modules, "tensorboard", ModuleType("tensorboard"))
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", module)
    tracker = open_tracker("tensorboard", "mine", tmp_path, {})
    tracker.log({"eval/score": 0.5}, 3)
    tracker.close()
    assert calls == [str(tmp_path / "tensorboard"), ("eval/score", 0.5, 3), "closed"]


def test_no_tracker_needs_nothing(tmp_path: Path) -> None:
    tracker = open_tracker("none", "mine", tmp_path, {})
    tracker.log({"x": 1.0}, 1)
    tracker.close()
