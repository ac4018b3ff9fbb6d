"""AdamW for many users at once: each has its own step count, learning rate and clip; the finished are frozen.

Knows nothing of models or plans. A user's parameters are one row of a (U, P) tensor. Every operation is elementwise
or a sum within one row, so that no user's numbers depend on another's; rows of the finished are not touched at all.
The rows are updated block by block, each small enough to stay in a processor's cache between the operations.
Source: Loshchilov and Hutter 2019, as torch.optim.AdamW; design section 3 (users trained side by side).
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

BLOCK = {"cpu": 1 << 17}
"""Numbers of a parameter block by device; elsewhere (a GPU) all rows are one block."""


class ManyAdamW:
    """Updates `params` (U, P) in place."""

    def __init__(
        self,
        params: Tensor,
        betas: tuple[float, float] = (0.9, 0.999),
        epsilon: float = 1e-8,
        weight_decay: float = 1e-2,
        clip: float = 0.0,
    ) -> None:
        """`clip` is the largest gradient norm of a user; 0 means none. ValueError unless params are (U, P)."""
        if params.dim() != 2:
            raise ValueError(f"parameters are a row a user, (U, P); received {tuple(params.shape)}")
        self.params, self.first, self.second = params, torch.zeros_like(params), torch.zeros_like(params)
        self.steps = np.zeros(len(params), dtype=np.int64)
        self.betas, self.epsilon, self.weight_decay, self.clip = betas, epsilon, weight_decay, clip
        self.block = BLOCK.get(params.device.type, params.numel() or 1)

    @torch.no_grad()
    def step(self, grads: Tensor, norms: Tensor, active: Sequence[bool], lr: Sequence[float]) -> None:
        """One step of the `active` users (U) with `grads` (U, P) of norms (U,), at rates `lr` (U).

        Whatever an inactive user's gradient holds, NaN included, its parameters and state keep every bit.
        """
        self.steps += np.asarray(active)
        factors = torch.from_numpy(self._factors(lr)).to(self.params)
        shrink = (self.clip / (norms + 1e-6)).clamp(max=1.0) if self.clip > 0 else torch.ones_like(norms)
        per_user = torch.cat([factors, shrink.to(factors)[None]])[:, :, None]
        for rows, columns in self._blocks(active):
            mine = (tensor[rows, columns] for tensor in (self.params, self.first, self.second, grads))
            self._update(*mine, *per_user[:, rows])

    def _factors(self, lr: Sequence[float]) -> np.ndarray:
        """(3, U) float64: what is kept of a parameter, and what sqrt(second) is multiplied by and raised by."""
        steps, rate = np.maximum(self.steps, 1), np.asarray(lr, dtype=np.float64)
        size = rate / (1 - self.betas[0] ** steps)
        spread = 1 / (size * np.sqrt(1 - self.betas[1] ** steps))
        return np.stack([1 - rate * self.weight_decay, spread, self.epsilon / size])

    def state_dict(self) -> dict[str, Any]:
        """Moments and step counts; the parameters are the caller's."""
        return {"first": self.first, "second": self.second, "steps": torch.from_numpy(self.steps)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Copy a saved state in. Raises ValueError where shapes differ."""
        mine = self.state_dict()
        expected, received = ({name: tuple(t.shape) for name, t in one.items()} for one in (mine, state))
        if expected != received:
            raise ValueError(f"optimiser state differs: expected {expected}, received {received}")
        for name, tensor in mine.items():
            tensor.copy_(state[name])

    def _update(
        self, param: Tensor, first: Tensor, second: Tensor, grad: Tensor,
        keep: Tensor, spread: Tensor, floor: Tensor, shrink: Tensor,
    ) -> None:  # fmt: skip
        """A block (u, p) with factors (u, 1): p = keep p - first / (spread sqrt(second) + floor)."""
        grad = grad * shrink
        first.lerp_(grad, 1 - self.betas[0])
        second.mul_(self.betas[1]).addcmul_(grad, grad, value=1 - self.betas[1])
        below = torch.sqrt(second, out=grad).mul_(spread).add_(floor)
        param.mul_(keep).addcdiv_(first, below, value=-1)

    def _blocks(self, active: Sequence[bool]) -> Iterator[tuple[slice, slice]]:
        """Rows and columns of the active, in blocks of at most `self.block` numbers."""
        width = self.params.shape[1]
        together = max(1, self.block // max(1, width))
        for start, stop in _runs(active):
            for row in range(start, stop, together):
                rows = slice(row, min(row + together, stop))
                for column in range(0, width, self.block):
                    yield rows, slice(column, min(column + self.block, width))


def _runs(active: Sequence[bool]) -> Iterator[tuple[int, int]]:
    """(start, stop) of each run of active users."""
    start = None
    for place, on in enumerate([*active, False]):
        if on and start is None:
            start = place
        elif not on and start is not None:
            yield start, place
            start = None
