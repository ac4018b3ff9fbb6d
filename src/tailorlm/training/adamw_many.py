"""AdamW for many users at once: each has its own step count, learning rate and clip; the finished are frozen.

Knows nothing of models or plans. Parameters are tensors with a leading user axis U. Every operation is
elementwise or a sum within one user, so that no user's numbers depend on another's. Source: Loshchilov and
Hutter 2019, in torch.optim.AdamW's order of operations; design section 3 (users trained side by side).
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor


def gradient_norms(grads: Mapping[str, Tensor]) -> Tensor:
    """Each user's gradient norm over all its parameters, (U,)."""
    squares = [g.detach().flatten(1).float().square().sum(1) for _, g in sorted(grads.items())]
    return torch.stack(squares).sum(0).sqrt()


class ManyAdamW:
    """Updates `params` (name -> (U, ...)) in place."""

    def __init__(
        self,
        params: Mapping[str, Tensor],
        betas: tuple[float, float] = (0.9, 0.999),
        epsilon: float = 1e-8,
        weight_decay: float = 1e-2,
        clip: float = 0.0,
    ) -> None:
        """`clip` is the largest gradient norm of a user; 0 means none.

        Raises ValueError where user axes differ.
        """
        users = {name: len(tensor) for name, tensor in sorted(params.items())}
        if len(set(users.values())) != 1:
            raise ValueError(f"parameters need one leading user axis of one length; received {users}")
        self.params = dict(sorted(params.items()))
        self.first = {name: torch.zeros_like(p) for name, p in self.params.items()}
        self.second = {name: torch.zeros_like(p) for name, p in self.params.items()}
        some = next(iter(self.params.values()))
        self.steps = torch.zeros(len(some), dtype=torch.long, device=some.device)
        self.betas, self.epsilon, self.weight_decay, self.clip = betas, epsilon, weight_decay, clip

    @torch.no_grad()
    def step(self, grads: Mapping[str, Tensor], active: Tensor, lr: Tensor) -> Tensor:
        """One step of the users in `active` (U,) bool at rates `lr` (U,); returns their gradient norms, (U,).

        Whatever an inactive user's gradient holds, NaN included, its parameters and state keep every bit.
        """
        norms = gradient_norms(grads)
        self.steps += active
        steps = self.steps.clamp(min=1).double()
        size = lr.double() / (1 - self.betas[0] ** steps)
        keep = 1 - lr.double() * self.weight_decay
        spread = (1 - self.betas[1] ** steps).sqrt()
        shrink = (self.clip / (norms + 1e-6)).clamp(max=1.0) if self.clip > 0 else torch.ones_like(norms)
        idle = (~active).nonzero()[:, 0]  # updated with the rest, so that places never shift, then put back
        for name in self.params:
            mine = (self.params[name], self.first[name], self.second[name])
            before = [tensor[idle] for tensor in mine]
            self._update(name, grads[name], (shrink, keep, size, spread))
            for tensor, old in zip(mine, before, strict=True):
                tensor[idle] = old
        return norms

    def state_dict(self) -> dict[str, Any]:
        """Moments and step counts; the parameters are the caller's."""
        return {"first": dict(self.first), "second": dict(self.second), "steps": self.steps}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Copy a saved state in. Raises ValueError where names or shapes differ."""
        for mine, saved in ((self.first, state["first"]), (self.second, state["second"])):
            expected = {name: tuple(t.shape) for name, t in mine.items()}
            received = {name: tuple(t.shape) for name, t in saved.items()}
            if expected != received:
                raise ValueError(f"optimiser state differs: expected {expected}, received {received}")
            for name, tensor in mine.items():
                tensor.copy_(saved[name])
        self.steps.copy_(state["steps"])

    def _update(self, name: str, grad: Tensor, per_user: tuple[Tensor, ...]) -> None:
        param, first, second = self.params[name], self.first[name], self.second[name]
        shrink, keep, size, spread = (_over(value, param) for value in per_user)
        grad = grad * shrink
        first.lerp_(grad, 1 - self.betas[0])
        second.mul_(self.betas[1]).addcmul_(grad, grad, value=1 - self.betas[1])
        param.mul_(keep).sub_((size * first).div_(second.sqrt().div_(spread).add_(self.epsilon)))


def _over(value: Tensor, like: Tensor) -> Tensor:
    """(U,) as (U, 1, ...) in the dtype of `like`."""
    return value.to(like.dtype).view(-1, *(1,) * (like.dim() - 1))
