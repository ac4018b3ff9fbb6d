"""The settings of a training run, checked once, when they are made.

Knows nothing of models or files. Defaults are P2P's (reference section 1) except the step count and the
learning rate, which are those of small models. Lengths of time are seconds, shares are in 0..1.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Protocol

DECAYS = ("linear", "cosine", "constant")
PRECISIONS = ("float32", "bf16")
TRACKERS = ("none", "trackio", "tensorboard", "wandb")

RESUME_MAY_CHANGE = frozenset(
    {"max_seconds", "evaluate_every", "patience", "save_every", "keep", "line_seconds", "tracker", "project"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainSettings:
    """How to train; every field is a key of a recipe's [train] table.

    Raises ValueError naming the field, the value and what would be valid.
    """

    steps: int = 1000
    learning_rate: float = 2e-4
    rates: Mapping[str, float] = field(default_factory=dict)  # a named parameter group's own learning rate
    weight_decay: float = 1e-2
    betas: tuple[float, float] = (0.9, 0.999)
    epsilon: float = 1e-8
    warmup: float = 0.2  # share of the run
    decay: str = "linear"
    clip: float = 1.0  # largest gradient norm; 0 means none
    accumulate: int = 1  # batches per optimiser step
    precision: str = "float32"  # what the objective runs under; parameters stay float32
    seed: int = 0
    max_seconds: float | None = None  # wall-clock budget; see docs/training.md on what it costs
    evaluate_every: int = 0  # steps; 0 means at the end only
    monitor: str = ""  # the evaluation's metric that decides which state is the best
    mode: str = "max"  # whether a larger ("max") or smaller ("min") metric is better
    patience: int = 0  # evaluations without a better metric before stopping; 0 means never
    save_every: int = 500  # steps; 0 means at the end only
    keep: int = 2  # checkpoints kept
    line_seconds: float = 30.0  # between lines of progress where there is no terminal
    tracker: str = "none"
    project: str = "tailorlm"  # the tracker's project

    def __post_init__(self) -> None:
        """Refuse what cannot work; lists from TOML become tuples."""
        object.__setattr__(self, "betas", tuple(self.betas))
        object.__setattr__(self, "rates", dict(self.rates))
        check_optimiser(self)
        for name in ("steps", "accumulate", "keep"):
            require(self, name, getattr(self, name) >= 1, "an integer of at least 1")
        for name in ("seed", "evaluate_every", "patience", "save_every"):
            require(self, name, _finite(getattr(self, name)) and getattr(self, name) >= 0, "at least 0")
        require(self, "line_seconds", _finite(self.line_seconds) and self.line_seconds > 0, "above 0")
        require(self, "rates", all(_finite(r) and r > 0 for r in self.rates.values()), "rates above 0")
        require(self, "max_seconds", self.max_seconds is None or self.max_seconds > 0, "above 0, or none")
        for name, valid in (("precision", PRECISIONS), ("tracker", TRACKERS)):
            require(self, name, getattr(self, name) in valid, f"one of {', '.join(valid)}")
        require(self, "mode", self.mode in ("max", "min"), "max or min")
        require(self, "patience", self.patience == 0 or self.monitor != "", "0 while `monitor` is empty")

    def as_dict(self) -> dict[str, object]:
        """Plain values, for a checkpoint, a tracker or a results file."""
        return {f.name: getattr(self, f.name) for f in fields(self)}


def differences(saved: Mapping[str, object], given: TrainSettings) -> list[str]:
    """What a resumed run's settings change that would change its numbers, one line each."""
    now = given.as_dict()
    names = sorted((saved.keys() | now.keys()) - RESUME_MAY_CHANGE)
    return [
        f"{name}: saved {saved.get(name)!r}, given {now.get(name)!r}"
        for name in names
        if saved.get(name) != now.get(name)
    ]


def others(saved: Mapping[str, str], given: Mapping[str, str]) -> list[str]:
    """What a resumed run is made of now, other than it was, one line each; what one of both does not know is passed."""
    return [
        f"another {name} (saved {saved[name]}, given {given[name]})"
        for name in sorted(saved.keys() & given.keys())
        if saved[name] and given[name] and saved[name] != given[name]
    ]


class Optimiser(Protocol):
    """How AdamW, its schedule and its clip are set, whatever is trained."""

    @property
    def learning_rate(self) -> float: ...
    @property
    def weight_decay(self) -> float: ...
    @property
    def betas(self) -> tuple[float, float]: ...
    @property
    def epsilon(self) -> float: ...
    @property
    def warmup(self) -> float: ...
    @property
    def decay(self) -> str: ...
    @property
    def clip(self) -> float: ...


def check_optimiser(settings: Optimiser) -> None:
    """ValueError with the field, the value and what would be valid."""
    for name in ("clip", "weight_decay"):
        require(settings, name, _finite(getattr(settings, name)) and getattr(settings, name) >= 0, "at least 0")
    for name in ("learning_rate", "epsilon"):
        require(settings, name, _finite(getattr(settings, name)) and getattr(settings, name) > 0, "above 0")
    two = len(settings.betas) == 2 and all(0 <= b < 1 for b in settings.betas)
    require(settings, "betas", two, "two in [0, 1)")
    require(settings, "warmup", 0 <= settings.warmup < 1, "a share in [0, 1)")
    require(settings, "decay", settings.decay in DECAYS, f"one of {', '.join(DECAYS)}")


def _finite(value: float) -> bool:
    return math.isfinite(value)


def require(settings: object, name: str, valid: bool, expected: str, table: str = "train") -> None:
    """ValueError, of the field `name` of settings that a recipe calls `table`, where it is not `valid`."""
    if not valid:
        raise ValueError(f"{table}.{name} is {getattr(settings, name)!r}; valid is {expected}")
