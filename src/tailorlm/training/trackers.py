"""Experiment trackers by setting: none, trackio, TensorBoard, Weights & Biases.

Knows nothing of training. Each package is imported where it is used; numbers only are sent, never text.
"""

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Tracker:
    """Where numbers go: `log(numbers, step)` and `close()`."""

    log: Callable[[Mapping[str, float], int], None]
    close: Callable[[], None]


def open_tracker(name: str, project: str, directory: Path, config: Mapping[str, object]) -> Tracker:
    """The tracker called `name`. Raises ValueError with the pip command where its package is missing."""
    if name == "none":
        return Tracker(lambda numbers, step: None, lambda: None)
    if name == "tensorboard":
        return _tensorboard(directory)
    return _run_based(_load(name, name), project, directory, config)


def check_tracker(name: str) -> None:
    """ValueError, with the pip command, where the package of the tracker called `name` is missing."""
    if name != "none" and find_spec(name) is None:
        raise _missing(name)


def _tensorboard(directory: Path) -> Tracker:
    _load("tensorboard", "tensorboard")
    module = _load("torch.utils.tensorboard", "tensorboard")
    writer: Any = module.SummaryWriter(str(directory / "tensorboard"))

    def log(numbers: Mapping[str, float], step: int) -> None:
        for key, value in numbers.items():
            writer.add_scalar(key, value, step)

    return Tracker(log, writer.close)


def _run_based(module: Any, project: str, directory: Path, config: Mapping[str, object]) -> Tracker:
    """trackio has wandb's interface: init, log, finish."""
    module.init(project=project, name=directory.name, config=dict(config))
    return Tracker(lambda numbers, step: module.log(dict(numbers), step=step), module.finish)


def _load(module: str, package: str) -> Any:
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise _missing(package) from error


def _missing(package: str) -> ValueError:
    return ValueError(f"train.tracker needs the package {package!r}: pip install {package}")
