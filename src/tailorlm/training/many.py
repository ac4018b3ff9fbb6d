"""Many users' parameters trained side by side, each as if it were alone.

Knows nothing of models: a loss function takes parameters with a user axis and gives one loss per row. The loss is
the sum over users of each user's own mean, so that one backward pass gives every user its own gradient; users
have their own number of steps, rate, schedule, clip and dropout stream. Source: design section 3.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass

import torch
from torch import Tensor

from tailorlm.training.adamw_many import ManyAdamW
from tailorlm.training.flat import Layout, add_gradients, flat, layout, views
from tailorlm.training.interrupts import Interrupted, Wish, graceful
from tailorlm.training.many_files import Saving, fingerprint
from tailorlm.training.plan import Plan
from tailorlm.training.schedule import factor, progress
from tailorlm.training.settings import check_optimiser, require
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
    clip: float = 1.0  # largest gradient norm of a user; 0 means none
    rows_at_once: int = 32  # rows in one forward pass; a step's other rows follow, and change nothing

    def __post_init__(self) -> None:
        """Raises ValueError with the field, the value and what would be valid."""
        object.__setattr__(self, "betas", tuple(self.betas))  # of TOML, a list
        check_optimiser(self)
        require(self, "rows_at_once", self.rows_at_once >= 1, "an integer of at least 1")


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
Observe = Callable[[int, Mapping[str, Tensor]], None]
"""(step from 0, each parameter's gradient (U, ...) before the clip): called before each step is taken."""


def train_many(
    loss_fn: RowLosses,
    params: Mapping[str, Tensor],
    plan: Plan,
    settings: ManySettings,
    progress_to: Callable[[int, int], None] | None = None,
    *,
    tokens: Sequence[int] = (),
    observe: Observe | None = None,
    saving: Saving | None = None,
) -> ManyResult:
    """Train copies of `params` (name -> (U, ...)) as `plan` says; `loss_fn(params, slice)` gives losses (N,).

    `progress_to(step, steps)` is called after each step. `tokens` are all rows' lengths: rows of like length then
    share a forward pass. With `saving` the state is written now and then, and a run that was stopped goes on from
    it exactly (Ctrl-C raises Interrupted after the step). Raises NonFiniteLoss with the users' ids before a step
    that would spoil their parameters, ValueError where plan, parameters or saved state do not belong together.
    """
    rows = flat(params)
    if len(rows) != len(plan.ids):
        raise ValueError(f"the plan has {len(plan.ids)} users; the parameters' user axis is {len(rows)}")
    run = _Run(loss_fn, rows, layout(params), plan, settings, tokens)
    mark = fingerprint(rows, run.shapes, plan, settings) + saving.about if saving else ""
    done = saving.load(mark, run.state()) if saving else 0
    steps = max(plan.lengths, default=0)
    with graceful(lambda said: None) if saving else nullcontext(Wish()) as wish:
        for step in range(done, steps):
            run.step(step, observe)
            if saving and (saving.due(step + 1, steps) or wish.stop):
                saving.write(mark, step + 1, run.state())
            if progress_to:
                progress_to(step + 1, steps)
            if wish.stop:
                raise Interrupted(f"stopped after step {step + 1} of {steps} of users side by side", step + 1)
    params = {name: p.contiguous() for name, p in views(run.params, run.shapes).items()}
    return ManyResult(params, tuple(map(tuple, run.losses)))


class _Run:
    """The moving parts: parameters, gradients, optimiser, losses so far."""

    def __init__(
        self, loss_fn: RowLosses, params: Tensor, shapes: Layout, plan: Plan, settings: ManySettings,
        tokens: Sequence[int],
    ) -> None:  # fmt: skip
        self.loss_fn, self.params, self.shapes, self.plan, self.settings = loss_fn, params, shapes, plan, settings
        self.tokens, self.keys = tokens, torch.tensor(plan.keys(), dtype=torch.long)
        self.grads = torch.zeros_like(params)
        chosen = settings
        self.optimiser = ManyAdamW(params, chosen.betas, chosen.epsilon, chosen.weight_decay, chosen.clip)
        self.losses: list[list[float]] = [[] for _ in plan.ids]

    def state(self) -> dict[str, object]:
        """All that a step changes; tensors and lists are the run's own, to be filled in place."""
        return {"params": self.params, "losses": self.losses, **self.optimiser.state_dict()}

    def step(self, step: int, observe: Observe | None) -> None:
        """Every user's gradient of its own mean loss, then the update of those who still have steps."""
        self.grads.zero_()
        means = torch.zeros(len(self.plan.ids))
        for part, weights in self._slices(step):
            weighted = self._losses(part, weights)
            means.index_add_(0, part.users.cpu(), weighted.cpu())
        active = [step < n for n in self.plan.lengths]
        norms = torch.linalg.vector_norm(self.grads, dim=1)
        self._check_finite(means, norms, active, step)
        if observe:
            observe(step, views(self.grads, self.shapes))
        self.optimiser.step(self.grads, norms, active, self._rates(step))
        for mine, value, on in zip(self.losses, means.tolist(), active, strict=True):
            if on:
                mine.append(value)

    def _slices(self, step: int) -> list[tuple[Slice, Tensor]]:
        """The step's rows of all users in forward passes, with each row's weight: one over its user's rows."""
        seen = [
            (row, user, place, 1.0 / len(steps[step]))
            for user, steps in enumerate(self.plan.steps)
            if step < len(steps)
            for place, row in enumerate(steps[step])
        ]
        size = self.settings.rows_at_once
        if self.tokens and len(seen) > size:
            seen.sort(key=lambda one: self.tokens[one[0]])
        return [self._slice(step, seen[start : start + size]) for start in range(0, len(seen), size)]

    def _slice(self, step: int, seen: Sequence[tuple[int, int, int, float]]) -> tuple[Slice, Tensor]:
        rows, users, places, weights = zip(*seen, strict=True)
        device, index = self.params.device, torch.tensor(users)
        keys = subkeys(subkeys(self.keys[index], torch.tensor(step)), torch.tensor(places))
        return Slice(rows, index.to(device), keys.to(device)), torch.tensor(weights, device=device)

    def _losses(self, part: Slice, weights: Tensor) -> Tensor:
        """Adds the slice's gradients; returns its weighted losses (N,)."""
        leaves = {name: p.detach().requires_grad_() for name, p in views(self.params, self.shapes).items()}
        losses = self.loss_fn(leaves, part)
        if losses.shape != (len(part.rows),):
            raise ValueError(
                f"the loss is one number per row: expected shape ({len(part.rows)},), received {tuple(losses.shape)}"
            )
        weighted = losses.float() * weights
        add_gradients(weighted.sum(), leaves, views(self.grads, self.shapes))
        return weighted.detach()

    def _rates(self, step: int) -> list[float]:
        """Each user's learning rate at its step number `step`, (U,); of the finished, the last."""
        settings, lengths = self.settings, self.plan.lengths
        own = self.plan.rates or (settings.learning_rate,) * len(lengths)
        done = [progress(min(step, max(n - 1, 0)), max(n, 1)) for n in lengths]
        return [factor(at, settings.warmup, settings.decay) * rate for at, rate in zip(done, own, strict=True)]

    def _check_finite(self, means: Tensor, norms: Tensor, active: Sequence[bool], step: int) -> None:
        fine = (means.isfinite() & norms.isfinite().cpu()).tolist()
        bad = tuple(id for id, on, good in zip(self.plan.ids, active, fine, strict=True) if on and not good)
        if bad:
            raise NonFiniteLoss(
                f"step {step + 1}: the loss or gradient of these users is NaN or infinite: {', '.join(bad)}", bad
            )
