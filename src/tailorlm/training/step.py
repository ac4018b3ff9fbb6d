"""One optimiser step: losses per row, their mean over ALL rows of its batches, the gradient, the clip.

Knows nothing of schedules, files or what an objective is made of. Source: design section 3 ("loss is averaged
per sample, then over the batch: accumulation equals the large batch"; the published code keeps only the last
batch's gradient).
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol, TypeVar

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from accelerate.utils import GradientAccumulationPlugin
from torch import Tensor
from torch.nn import Parameter

from tailorlm.training.settings import TrainSettings


class Batch(Protocol):
    """Rows with their ids, in order; ids may be shown in errors, so they are never text."""

    @property
    def ids(self) -> tuple[str, ...]: ...


B = TypeVar("B", bound=Batch)
B_contra = TypeVar("B_contra", bound=Batch, contravariant=True)


class Objective(Protocol[B_contra]):
    """What is trained. `loss` gives one loss per row, (N,), and what else to record: means over the rows.

    `loss` is a training forward: the objective puts its modules in the mode they need, and adds label
    smoothing, NEFTune noise or a penalty of its own to each row's loss. `state_dict` holds ALL that `loss`
    depends on and that changes: weights, buffers, generators of its own.
    """

    def parameters(self) -> Iterable[Parameter]: ...
    def loss(self, batch: B_contra) -> tuple[Tensor, Mapping[str, float | Tensor]]: ...
    def state_dict(self) -> dict[str, Any]: ...
    def load_state_dict(self, state: dict[str, Any]) -> Any: ...


class NonFiniteLoss(ValueError):
    """A loss or gradient was NaN or infinite; the parameters are as they were before the step."""

    def __init__(self, message: str, ids: tuple[str, ...]) -> None:
        super().__init__(message)
        self.ids = ids


def make_accelerator(device: torch.device, settings: TrainSettings) -> Accelerator:
    """An accelerator for the device that the objective is on, which leaves accumulation to `gradient_step`.

    accelerate keeps one state per process, which a second run with another precision or device must replace.
    """
    precision = "no" if settings.precision == "float32" else settings.precision
    state = AcceleratorState._shared_state
    if state and (state["_mixed_precision"] != precision or state["device"].type != device.type):
        AcceleratorState._reset_state(reset_partial_state=True)
    accelerator = Accelerator(
        cpu=device.type == "cpu",
        mixed_precision=precision,
        gradient_accumulation_plugin=GradientAccumulationPlugin(num_steps=1),
    )
    if accelerator.num_processes > 1 or accelerator.device.type != device.type:
        raise ValueError(
            f"training runs in one process on one device; the objective is on {device}, "
            f"accelerate has {accelerator.num_processes} processes on {accelerator.device}"
        )
    return accelerator


def gradient_step(
    accelerator: Accelerator,
    objective: Objective[B],
    optimiser: torch.optim.Optimizer,
    parameters: Sequence[Parameter],
    batches: Sequence[B],
    clip: float,
) -> dict[str, float]:
    """Take one optimiser step on all `batches` and return what was measured, "loss" and "grad_norm" first.

    Raises NonFiniteLoss, with the ids of the rows, before anything is changed.
    """
    optimiser.zero_grad()
    rows = sum(len(batch.ids) for batch in batches)
    losses: list[Tensor] = []
    notes: dict[str, Tensor | float] = {}
    for batch in batches:
        part, measured = _row_losses(accelerator, objective, batch)
        accelerator.backward(part.sum() / rows)
        losses.append(part.detach())
        for name, value in measured.items():
            share = (value.detach().float() if isinstance(value, Tensor) else value) * (len(batch.ids) / rows)
            notes[name] = notes.get(name, 0.0) + share
    norm = accelerator.clip_grad_norm_(parameters, clip if clip > 0 else float("inf"))
    numbers = _numbers(torch.cat(losses), norm, notes)
    _check_finite(numbers, torch.cat(losses), batches)
    optimiser.step()  # not accelerate's: its wrapper serves fp16 and looks for a package at every step
    return numbers


def _row_losses(
    accelerator: Accelerator, objective: Objective[B], batch: B
) -> tuple[Tensor, Mapping[str, float | Tensor]]:
    with accelerator.autocast():
        losses, measured = objective.loss(batch)
    if losses.shape != (len(batch.ids),):
        raise ValueError(
            f"an objective's loss is one number per row: expected shape ({len(batch.ids)},), "
            f"received {tuple(losses.shape)}"
        )
    return losses.float(), measured


def _numbers(losses: Tensor, norm: Tensor, notes: Mapping[str, Tensor | float]) -> dict[str, float]:
    """Everything measured, moved from the device at once."""
    values = {"loss": losses.mean(), "grad_norm": norm, **notes}
    on_device = [torch.as_tensor(v, device=losses.device, dtype=torch.float64) for v in values.values()]
    return dict(zip(values, torch.stack(on_device).tolist(), strict=True))


def _check_finite(numbers: Mapping[str, float], losses: Tensor, batches: Sequence[Batch]) -> None:
    if all(abs(numbers[name]) < float("inf") for name in ("loss", "grad_norm")):
        return
    ids = [row for batch in batches for row in batch.ids]
    bad = tuple(row for row, fine in zip(ids, losses.isfinite().tolist(), strict=True) if not fine)
    what, where = ("loss", bad) if bad else ("gradient", tuple(ids))
    raise NonFiniteLoss(f"the {what} of these rows is NaN or infinite: {', '.join(where)}", where)
