"""Many users' parameters trained side by side, each as if it were alone.

Knows nothing of models: a loss function takes all users' parameters and gives one loss per row. The loss is
the sum over users of each user's own mean, so that one backward pass gives every user its own gradient; users
have their own number of steps, schedule, clip and dropout stream. Source: design section 3.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from tailorlm.training.adamw_many import ManyAdamW, gradient_norms
from tailorlm.training.plan import Plan
from tailorlm.training.schedule import factor, progress
from tailorlm.training.settings import DECAYS
from tailorlm.training.step import NonFiniteLoss
from tailorlm.training.streams import subkeys


@dataclass(frozen=True, slots=True, kw_only=True)
class ManySettings:
    """How each user is trained; the fields are TrainSettings', for one user's own steps."""

    learning_rate: float = 1e-4
    weight_decay: float = 1e-2
    betas: tuple[float, float] = (0.9, 0.999)
    epsilon: float = 1e-8
    warmup: float = 0.0
    decay: str = "linear"
    clip: float = 1.0
    rows_at_once: int = 64  # rows in one forward pass; a step's other rows follow, and change nothing

    def __post_init__(self) -> None:
        """Raises ValueError with the field, the value and what would be valid."""
        if self.decay not in DECAYS:
            raise ValueError(f"decay is {self.decay!r}; valid is one of {', '.join(DECAYS)}")
        if self.rows_at_once < 1 or not self.learning_rate > 0 or not 0 <= self.warmup < 1:
            raise ValueError(
                f"rows_at_once is {self.rows_at_once} (valid: at least 1), learning_rate "
                f"{self.learning_rate} (above 0), warmup {self.warmup} (in [0, 1))"
            )


@dataclass(frozen=True, slots=True)
class Slice:
    """Rows of one forward pass: `rows` are the plan's numbers, `users` (N,) long their place on the axis U.

    `keys` (N,) long are the rows' random streams (see streams.uniforms): they depend on the user's id, its
    own step and the row's place in it, never on the company.
    """

    rows: tuple[int, ...]
    users: Tensor
    keys: Tensor


@dataclass(frozen=True, slots=True)
class ManyResult:
    """Trained parameters, (U, ...) each, and every user's loss at each of its own steps."""

    params: dict[str, Tensor]
    losses: tuple[tuple[float, ...], ...]


RowLosses = Callable[[dict[str, Tensor], Slice], Tensor]


def train_many(
    loss_fn: RowLosses,
    params: Mapping[str, Tensor],
    plan: Plan,
    settings: ManySettings,
    progress_to: Callable[[int, int], None] | None = None,
) -> ManyResult:
    """Train copies of `params` (name -> (U, ...)) as `plan` says; `loss_fn(params, slice)` gives losses (N,).

    `progress_to(step, steps)` is called after each step. Raises NonFiniteLoss with the users' ids before a
    step that would spoil their parameters, ValueError where plan and parameters differ in users.
    """
    leaves = {name: p.detach().clone().requires_grad_() for name, p in sorted(params.items())}
    _check_users(leaves, plan)
    optimiser = ManyAdamW(
        {name: p.detach() for name, p in leaves.items()},
        settings.betas,
        settings.epsilon,
        settings.weight_decay,
        settings.clip,
    )
    device = optimiser.steps.device
    lengths = torch.tensor(plan.lengths, device=device)
    losses: list[list[float]] = [[] for _ in plan.ids]
    for step in range(max(plan.lengths, default=0)):
        active = lengths > step
        means = _gradients(loss_fn, leaves, plan, step, settings.rows_at_once)
        grads = {name: p.grad if p.grad is not None else torch.zeros_like(p) for name, p in leaves.items()}
        _check_finite(means, grads, active, plan, step)
        optimiser.step(grads, active, _rates(plan, step, settings).to(device))
        for user, value in zip(active.nonzero()[:, 0].tolist(), means[active].tolist(), strict=True):
            losses[user].append(value)
        if progress_to:
            progress_to(step + 1, max(plan.lengths))
    return ManyResult({name: p.detach() for name, p in leaves.items()}, tuple(map(tuple, losses)))


def _gradients(
    loss_fn: RowLosses, leaves: dict[str, Tensor], plan: Plan, step: int, rows_at_once: int
) -> Tensor:
    """Put each user's gradient of its own mean loss into the leaves; returns the means, (U,)."""
    some = next(iter(leaves.values()))
    for leaf in leaves.values():
        leaf.grad = None
    means = torch.zeros(len(plan.ids), device=some.device)
    seen = [
        (row, user, place, 1.0 / len(steps[step]))
        for user, steps in enumerate(plan.steps)
        if step < len(steps)
        for place, row in enumerate(steps[step])
    ]
    keys = torch.tensor(plan.keys(), device=some.device)
    for start in range(0, len(seen), rows_at_once):
        rows, users, places, weights = zip(*seen[start : start + rows_at_once], strict=True)
        index, place = torch.tensor([users, places], device=some.device)
        own = subkeys(subkeys(keys[index], torch.tensor(step, device=some.device)), place)
        losses = _row_losses(loss_fn, leaves, Slice(rows, index, own))
        weighted = losses * torch.tensor(weights, device=some.device)
        weighted.sum().backward()
        means.index_add_(0, index, weighted.detach())
    return means


def _row_losses(loss_fn: RowLosses, leaves: dict[str, Tensor], part: Slice) -> Tensor:
    losses = loss_fn(leaves, part)
    if losses.shape != (len(part.rows),):
        raise ValueError(
            f"the loss is one number per row: expected shape ({len(part.rows)},), "
            f"received {tuple(losses.shape)}"
        )
    return losses.float()


def _rates(plan: Plan, step: int, settings: ManySettings) -> Tensor:
    """Each user's learning rate at its step number `step`, (U,) float64; of the finished, the last."""
    factors = [
        factor(progress(min(step, max(n - 1, 0)), max(n, 1)), settings.warmup, settings.decay)
        for n in plan.lengths
    ]
    return torch.tensor(factors, dtype=torch.float64) * settings.learning_rate


def _check_users(leaves: Mapping[str, Tensor], plan: Plan) -> None:
    users = {name: len(leaf) for name, leaf in leaves.items()}
    if not users or set(users.values()) != {len(plan.ids)}:
        raise ValueError(f"the plan has {len(plan.ids)} users; the parameters' user axes are {users}")


def _check_finite(means: Tensor, grads: Mapping[str, Tensor], active: Tensor, plan: Plan, step: int) -> None:
    fine = means.isfinite() & gradient_norms(grads).isfinite()
    bad = tuple(plan.ids[i] for i in (active & ~fine).nonzero()[:, 0].tolist())
    if bad:
        raise NonFiniteLoss(
            f"step {step + 1}: the loss or gradient of these users is NaN or infinite: {', '.join(bad)}", bad
        )
