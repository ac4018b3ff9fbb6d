"""How far a run is, why it ends, and when it is evaluated: decisions made of numbers alone.

Knows nothing of models, files or clocks. Steps count from 1; seconds are of wall-clock time inside `train`.
"""

import math
from dataclasses import dataclass, replace

from tailorlm.training.settings import TrainSettings


@dataclass(frozen=True, slots=True)
class Position:
    """Steps taken, seconds spent, and what evaluation has seen so far."""

    step: int = 0
    seconds: float = 0.0
    evaluated: int = 0  # the last step that was evaluated
    best: float | None = None  # the monitored metric
    best_step: int = 0
    stale: int = 0  # evaluations since the best


def why_stopped(at: Position, settings: TrainSettings, seconds: float) -> str:
    """ "early", "steps" or "time" where the run ends here, "" where it goes on."""
    if settings.patience and at.stale >= settings.patience:
        return "early"
    if at.step >= settings.steps:
        return "steps"
    return "time" if settings.max_seconds is not None and seconds >= settings.max_seconds else ""


def due(at: Position, every: int) -> bool:
    """Whether something that happens every so many steps (0: never) happens after this one."""
    return every > 0 and at.step % every == 0


def judged(at: Position, value: float | None, mode: str) -> Position:
    """After an evaluation that gave `value` for the monitor (None: no monitor). NaN is never the best.

    The state is the best so far where `best_step` equals `step`.
    """
    at = replace(at, evaluated=at.step)
    if value is None:
        return at
    sign = 1.0 if mode == "max" else -1.0
    if not math.isnan(value) and (at.best is None or sign * value > sign * at.best):
        return replace(at, best=value, best_step=at.step, stale=0)
    return replace(at, stale=at.stale + 1)
