"""The one training loop: steps, evaluation, early stop, checkpoints, exact resume, a clean Ctrl-C.

Knows nothing of models, methods or text: an `Objective` gives losses per row, `Batches` an endless stream.
Source: design section 3, P2P's training settings (reference section 1); docs/training.md describes a run's folder.
"""

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

from rich.console import Console
from torch.nn import Parameter

from tailorlm.training import checkpoints
from tailorlm.training.curve import Curve
from tailorlm.training.interrupts import Interrupted, Wish, graceful
from tailorlm.training.optimiser import make_optimiser, set_rate
from tailorlm.training.progress import Display, Meter, clock, display
from tailorlm.training.randomness import seed_streams, set_streams, streams_state, streams_untouched
from tailorlm.training.schedule import factor, progress
from tailorlm.training.settings import TrainSettings, differences
from tailorlm.training.step import Batch, NonFiniteLoss, Objective, gradient_step, make_accelerator
from tailorlm.training.trackers import Tracker, open_tracker

B = TypeVar("B", bound=Batch)
B_co = TypeVar("B_co", bound=Batch, covariant=True)


class Batches(Protocol[B_co]):
    """An endless stream of batches that can be continued from where it was."""

    def __next__(self) -> B_co: ...
    def state_dict(self) -> dict[str, Any]: ...
    def load_state_dict(self, state: dict[str, Any]) -> Any: ...


@dataclass(frozen=True, slots=True)
class Position:
    """How far a run is: steps taken, seconds spent, and what evaluation has seen so far."""

    step: int = 0
    seconds: float = 0.0
    evaluated: int = 0  # the last step that was evaluated
    best: float | None = None
    best_step: int = 0
    stale: int = 0  # evaluations since the best


@dataclass(frozen=True, slots=True)
class Result:
    """A finished run; `stopped` is "steps", "time" or "early". With a monitor the objective has the best state."""

    position: Position
    stopped: str
    metrics: dict[str, float]  # the last evaluation's


def train(
    objective: Objective[B],
    batches: Batches[B],
    settings: TrainSettings,
    directory: Path,
    *,
    evaluate: Callable[[], Mapping[str, float]] | None = None,
    groups: Mapping[str, Iterable[Parameter]] | None = None,
    tokens: Callable[[B], int] | None = None,
    resume: bool = False,
    how_to_resume: str = "call train(..., resume=True) with the same directory",
    console: Console | None = None,
) -> Result:
    """Train `objective` and keep everything about the run in `directory`.

    `evaluate` measures held-out users and may draw random numbers (training's are untouched); `groups` names
    parameters that `settings.rates` gives their own learning rate; `tokens` counts a batch's tokens.
    Raises NonFiniteLoss before a step that would spoil the parameters, Interrupted after Ctrl-C once all is saved,
    ValueError where the directory has a run and `resume` is False, or a resumed run's settings differ.
    """
    if settings.monitor and evaluate is None:
        raise ValueError(f"train.monitor is {settings.monitor!r}, but there is nothing that evaluates")
    run = _Run(objective, batches, settings, directory, evaluate, groups or {}, tokens, how_to_resume)
    run.start(resume)
    tracker = open_tracker(settings.tracker, settings.project, directory, settings.as_dict())
    try:
        with display(console or Console(stderr=True), settings.line_seconds) as shown, graceful(shown.say) as wish:
            return run.go(shown, wish, tracker)
    finally:
        run.close()
        tracker.close()


class _Run(Generic[B]):
    """The parts of one run while it lasts."""

    def __init__(
        self,
        objective: Objective[B],
        batches: Batches[B],
        settings: TrainSettings,
        directory: Path,
        evaluate: Callable[[], Mapping[str, float]] | None,
        groups: Mapping[str, Iterable[Parameter]],
        tokens: Callable[[B], int] | None,
        how_to_resume: str,
    ) -> None:
        self.objective, self.batches, self.settings, self.directory = objective, batches, settings, directory
        self.evaluate, self.tokens, self.how_to_resume = evaluate, tokens, how_to_resume
        self.parameters = [p for p in objective.parameters() if p.requires_grad]
        self.adamw = make_optimiser(self.parameters, groups, settings)
        self.accelerator = make_accelerator(self.parameters[0].device, settings)
        self.optimiser = self.accelerator.prepare_optimizer(self.adamw)
        self.position = Position()
        self.metrics: dict[str, float] = {}

    def start(self, resume: bool) -> None:
        """Seed a new run or load the one in the directory, and open its curves."""
        checkpoints.make_private(self.directory)
        checkpoints.clear_leftovers(self.directory)
        saved = checkpoints.saved_steps(self.directory)
        if saved and not resume:
            raise ValueError(f"{self.directory} has a run already: resume it, or choose another directory")
        if saved:
            self._load(saved[-1])
        else:
            seed_streams(self.settings.seed)
        self.curve = Curve(self.directory / "curve.jsonl", self.position.step)
        self.evaluations = Curve(self.directory / "evaluations.jsonl", self.position.evaluated)
        self._started = time.monotonic() - self.position.seconds

    def go(self, shown: Display, wish: Wish, tracker: Tracker) -> Result:
        """Steps and evaluations until something ends the run."""
        meter = Meter(time.monotonic())
        while True:
            stopped = self._stopped()
            if self._evaluation_due(stopped):
                self._evaluate(shown, tracker)
                continue
            if stopped:
                return self._finish(stopped)
            if wish.stop:
                self._interrupted(shown)
            self._step(meter, shown, tracker)
            if self._every(self.settings.save_every) and not wish.stop:
                self._save()

    def close(self) -> None:
        """Write the curves' ends."""
        self.curve.close()
        self.evaluations.close()

    def _seconds(self) -> float:
        return time.monotonic() - self._started

    def _every(self, steps: int) -> bool:
        return steps > 0 and self.position.step % steps == 0

    def _stopped(self) -> str:
        """Why the run ends here, or nothing."""
        at, settings = self.position, self.settings
        if settings.patience and at.stale >= settings.patience:
            return "early"
        if at.step >= settings.steps:
            return "steps"
        return "time" if settings.max_seconds is not None and self._seconds() >= settings.max_seconds else ""

    def _evaluation_due(self, stopped: str) -> bool:
        due = self._every(self.settings.evaluate_every) or bool(stopped)
        return self.evaluate is not None and due and self.position.evaluated < self.position.step

    def _step(self, meter: Meter, shown: Display, tracker: Tracker) -> None:
        settings, step = self.settings, self.position.step
        done = progress(step, settings.steps, self._seconds(), settings.max_seconds)
        rate = factor(done, settings.warmup, settings.decay)
        set_rate(self.adamw, rate)
        micro = [next(self.batches) for _ in range(settings.accumulate)]
        try:
            numbers = gradient_step(
                self.accelerator, self.objective, self.optimiser, self.parameters, micro, settings.clip
            )
        except NonFiniteLoss as error:
            raise NonFiniteLoss(f"step {step + 1}: {error}; the parameters are those of step {step}", error.ids) \
                from error
        count = sum(map(self.tokens, micro)) if self.tokens else 0
        self.position = replace(self.position, step=step + 1, seconds=self._seconds())
        numbers["lr"] = settings.learning_rate * rate
        self.curve.add({"step": step + 1, **numbers, "tokens": count, "seconds": round(self.position.seconds, 3)})
        meter.add(time.monotonic(), count, done)
        shown.show(_line(self.position.step, settings.steps, numbers["loss"], meter), done)
        tracker.log({f"train/{name}": value for name, value in numbers.items()}, step + 1)

    def _evaluate(self, shown: Display, tracker: Tracker) -> None:
        assert self.evaluate is not None
        with streams_untouched():
            self.metrics = {name: float(value) for name, value in self.evaluate().items()}
        self._judge()
        self.evaluations.add({"step": self.position.step, **self.metrics})
        self.evaluations.sync()
        tracker.log({f"eval/{name}": value for name, value in self.metrics.items()}, self.position.step)
        numbers = ", ".join(f"{name} {value:.4g}" for name, value in self.metrics.items())
        shown.say(f"step {self.position.step}: {numbers}")

    def _judge(self) -> None:
        """Note the evaluation, and keep the state if it is the best by the monitor."""
        settings, at = self.settings, replace(self.position, evaluated=self.position.step)
        if settings.monitor:
            if settings.monitor not in self.metrics:
                raise ValueError(f"train.monitor is {settings.monitor!r}; evaluation gives {sorted(self.metrics)}")
            value = self.metrics[settings.monitor]
            sign = 1.0 if settings.mode == "max" else -1.0
            if value == value and (at.best is None or sign * value > sign * at.best):  # NaN is never the best
                at = replace(at, best=value, best_step=at.step, stale=0)
                checkpoints.write(self.directory / checkpoints.BEST, self.objective.state_dict())
            else:
                at = replace(at, stale=at.stale + 1)
        self.position = at

    def _finish(self, stopped: str) -> Result:
        self._save()
        if self.position.best is not None:
            self.objective.load_state_dict(checkpoints.read(self.directory / checkpoints.BEST))
        return Result(self.position, stopped, self.metrics)

    def _interrupted(self, shown: Display) -> None:
        self._save()
        raise Interrupted(
            f"Interrupted after step {self.position.step}; everything is saved in {self.directory}. "
            f"To go on: {self.how_to_resume}.",
            self.position.step,
        )

    def _save(self) -> None:
        self.curve.sync()
        self.position = replace(self.position, seconds=self._seconds())
        state = {
            "position": asdict(self.position),
            "metrics": self.metrics,
            "settings": self.settings.as_dict(),
            "objective": self.objective.state_dict(),
            "optimiser": self.adamw.state_dict(),
            "batches": self.batches.state_dict(),
            "streams": streams_state(),
        }
        checkpoints.save_step(self.directory, self.position.step, state, self.settings.keep)

    def _load(self, path: Path) -> None:
        state = checkpoints.read(path)
        changed = differences(state["settings"], self.settings)
        if changed:
            raise ValueError(f"the run in {self.directory} was made with other settings: {'; '.join(changed)}; "
                             "go on with the saved ones, or choose another directory")
        self.objective.load_state_dict(state["objective"])
        self.adamw.load_state_dict(state["optimiser"])
        self.batches.load_state_dict(state["batches"])
        set_streams(state["streams"])
        self.position, self.metrics = Position(**state["position"]), state["metrics"]


def _line(step: int, steps: int, loss: float, meter: Meter) -> str:
    speed = f"{meter.tokens_per_second:,.0f} tokens/s, " if meter.tokens_per_second else ""
    return f"step {step}/{steps}  loss {loss:.4f}  {speed}{clock(meter.seconds_left)} left"
