"""The one training loop: steps, evaluation, early stop, checkpoints, exact resume, a clean Ctrl-C.

Knows nothing of models, methods or text: an `Objective` gives losses per row, `Batches` an endless stream.
Source: design section 3, P2P's training settings (reference section 1). A run's folder: docs/training.md.
"""

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, Generic, Protocol, TypeVar

from rich.console import Console
from torch.nn import Parameter

from tailorlm.training import checkpoints
from tailorlm.training.curve import Curve
from tailorlm.training.interrupts import Interrupted, Wish, graceful
from tailorlm.training.optimiser import make_optimiser, set_rate
from tailorlm.training.position import Position, due, judged, why_stopped
from tailorlm.training.progress import Display, Meter, display, step_line
from tailorlm.training.randomness import seed_streams, set_streams, streams_state, streams_untouched
from tailorlm.training.schedule import factor, progress
from tailorlm.training.settings import TrainSettings, differences, others
from tailorlm.training.step import Batch, NonFiniteLoss, Objective, gradient_step, make_accelerator
from tailorlm.training.trackers import Tracker, open_tracker

B = TypeVar("B", bound=Batch)
B_co = TypeVar("B_co", bound=Batch, covariant=True)
Evaluate = Callable[[], Mapping[str, float]]
UNKNOWN: Mapping[str, str] = MappingProxyType({})


class Batches(Protocol[B_co]):
    """An endless stream of batches that can be continued from where it was."""

    def __next__(self) -> B_co: ...
    def state_dict(self) -> dict[str, Any]: ...
    def load_state_dict(self, state: dict[str, Any]) -> Any: ...


@dataclass(frozen=True, slots=True)
class Result:
    """A finished run. With a monitor the objective holds the best state, of step `position.best_step`."""

    position: Position
    stopped: str  # "steps", "time" or "early"
    metrics: dict[str, float]  # the last evaluation's


def train(
    objective: Objective[B],
    batches: Batches[B],
    settings: TrainSettings,
    directory: Path,
    *,
    evaluate: Evaluate | None = None,
    groups: Mapping[str, Iterable[Parameter]] | None = None,
    tokens: Callable[[B], int] | None = None,
    resume: bool = False,
    console: Console | None = None,
    about: Mapping[str, str] = UNKNOWN,
) -> Result:
    """Train `objective` and keep everything about the run in `directory`.

    `evaluate` measures held-out users and may draw random numbers (training's are untouched); `groups` names
    parameters that `settings.rates` gives their own learning rate; `tokens` counts a batch's tokens. `resume`
    continues the directory's run, and starts one where there is none. `about`: what else decides the numbers, each
    by digest ("" is not known): a resumed run's must be the same, as far as the run says it.
    Raises NonFiniteLoss before a step that would spoil the parameters, Interrupted after Ctrl-C once all is
    saved, ValueError where the directory has a run and `resume` is False, or a resumed run's settings or `about`
    differ.
    """
    if settings.monitor and evaluate is None:
        raise ValueError(f"train.monitor is {settings.monitor!r}, but there is nothing that evaluates")
    run = _Run(objective, batches, settings, directory, evaluate, groups or {}, tokens, about)
    run.start(resume)
    tracker = open_tracker(settings.tracker, settings.project, directory, settings.as_dict())
    shell = console or Console(stderr=True)
    try:
        with display(shell, settings.line_seconds) as shown, graceful(shown.say) as wish:
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
        evaluate: Evaluate | None,
        groups: Mapping[str, Iterable[Parameter]],
        tokens: Callable[[B], int] | None,
        about: Mapping[str, str],
    ) -> None:
        self.objective, self.batches, self.settings, self.directory = objective, batches, settings, directory
        self.evaluate, self.tokens, self.about = evaluate, tokens, dict(about)
        self.parameters = [p for p in objective.parameters() if p.requires_grad]
        self.adamw = make_optimiser(self.parameters, groups, settings)
        self.accelerator = make_accelerator(self.parameters[0].device, settings)
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
        """Steps and evaluations until something ends the run.

        A checkpoint comes before its step's evaluation, and a resumed run starts with an evaluation that is
        due: so Ctrl-C need not wait for one, and the numbers are those of a run that was never stopped.
        """
        meter = Meter(time.monotonic())
        while not wish.stop:
            stopped = why_stopped(self.position, self.settings, self._seconds())
            if self._evaluation_due(stopped):
                self._evaluate(shown, tracker)
            elif stopped:
                return self._finish(stopped)
            else:
                self._step(meter, shown, tracker)
                if due(self.position, self.settings.save_every) and not wish.stop:
                    self._save()
        self._save()
        raise Interrupted(
            f"Interrupted after step {self.position.step}; everything is saved in {self.directory}: "
            "resume=True goes on.",
            self.position.step,
        )

    def close(self) -> None:
        """Write the curves' ends."""
        self.curve.close()
        self.evaluations.close()

    def _seconds(self) -> float:
        return time.monotonic() - self._started

    def _evaluation_due(self, stopped: str) -> bool:
        now = stopped != "" or due(self.position, self.settings.evaluate_every)
        return self.evaluate is not None and now and self.position.evaluated < self.position.step

    def _step(self, meter: Meter, shown: Display, tracker: Tracker) -> None:
        settings, step = self.settings, self.position.step + 1
        done = progress(step - 1, settings.steps, self._seconds(), settings.max_seconds)
        rate = factor(done, settings.warmup, settings.decay)
        set_rate(self.adamw, rate)
        micro = [next(self.batches) for _ in range(settings.accumulate)]
        numbers = {**self._gradient_step(micro), "lr": settings.learning_rate * rate}
        count = sum(map(self.tokens, micro)) if self.tokens else 0
        self.position = replace(self.position, step=step, seconds=self._seconds())
        clock = {"tokens": count, "seconds": round(self.position.seconds, 3)}
        self.curve.add({"step": step, **numbers, **clock})
        meter.add(time.monotonic(), count, done)
        shown.show(step_line(step, settings.steps, numbers["loss"], meter), done)
        tracker.log({f"train/{name}": value for name, value in numbers.items()}, step)

    def _gradient_step(self, micro: list[B]) -> dict[str, float]:
        try:
            return gradient_step(
                self.accelerator, self.objective, self.adamw, self.parameters, micro, self.settings.clip
            )
        except NonFiniteLoss as error:
            step = self.position.step
            message = f"step {step + 1}: {error}; the parameters are still those of step {step}"
            raise NonFiniteLoss(message, error.ids) from error

    def _evaluate(self, shown: Display, tracker: Tracker) -> None:
        assert self.evaluate is not None
        with streams_untouched():
            self.metrics = {name: float(value) for name, value in self.evaluate().items()}
        self._judge()
        step = self.position.step
        self.evaluations.add({"step": step, **self.metrics})
        self.evaluations.sync()
        tracker.log({f"eval/{name}": value for name, value in self.metrics.items()}, step)
        shown.say(f"step {step}: " + ", ".join(f"{name} {value:.4g}" for name, value in self.metrics.items()))

    def _judge(self) -> None:
        monitor = self.settings.monitor
        if monitor and monitor not in self.metrics:
            raise ValueError(f"train.monitor is {monitor!r}; the evaluation gives {sorted(self.metrics)}")
        self.position = judged(self.position, self.metrics.get(monitor), self.settings.mode)
        if self.position.best_step == self.position.step:
            checkpoints.write(self.directory / checkpoints.BEST, self.objective.state_dict())

    def _finish(self, stopped: str) -> Result:
        self._save()
        if self.position.best is not None:
            self.objective.load_state_dict(checkpoints.read(self.directory / checkpoints.BEST))
        return Result(self.position, stopped, self.metrics)

    def _save(self) -> None:
        self.curve.sync()
        self.position = replace(self.position, seconds=self._seconds())
        state = {
            "position": asdict(self.position),
            "metrics": self.metrics,
            "settings": self.settings.as_dict(),
            "about": self.about,
            "objective": self.objective.state_dict(),
            "optimiser": self.adamw.state_dict(),
            "batches": self.batches.state_dict(),
            "streams": streams_state(),
        }
        checkpoints.save_step(self.directory, self.position.step, state, self.settings.keep)

    def _load(self, path: Path) -> None:
        state = checkpoints.read(path)
        changed = "; ".join(differences(state["settings"], self.settings))
        if changed:
            raise ValueError(
                f"the run in {self.directory} was made with other settings: {changed}. Resume"
                " it with its own, or choose another directory"
            )
        other = "; ".join(others(state.get("about", {}), self.about))  # an older version's state says nothing of it
        if other:
            raise ValueError(
                f"the run in {self.directory} was made with {other}. Resume it with its own, delete it, or choose"
                " another directory"
            )
        self.objective.load_state_dict(state["objective"])
        self.adamw.load_state_dict(state["optimiser"])
        self.batches.load_state_dict(state["batches"])
        set_streams(state["streams"])
        self.position, self.metrics = Position(**state["position"]), state["metrics"]
