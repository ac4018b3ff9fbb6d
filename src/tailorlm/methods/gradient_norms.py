"""Norms of the gradient of B by step and layer, of all users together: PRISP's figure 9, where it is asked for.

Knows nothing of how users are trained. Source: PRISP appendix C (gradient analysis); bridge.layer_norms.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from tailorlm.adapters.lora import LoraSpace
from tailorlm.methods.bridge import layer_norms
from tailorlm.training.many import Observe


@dataclass(frozen=True)
class GradientNorms:
    """By step the norms of the layers, summed over the users who had that step, and how many these were."""

    sums: Sequence[Sequence[float]]
    users: Sequence[int]


def mean(parts: Sequence[GradientNorms]) -> list[list[float]]:
    """By step the norm of each layer, the mean over all users of `parts` who had that step."""
    found = []
    for step in range(max((len(one.users) for one in parts), default=0)):
        there = [one for one in parts if step < len(one.users)]
        users = sum(one.users[step] for one in there)
        if users:
            found.append([sum(norms) / users for norms in zip(*(one.sums[step] for one in there), strict=True)])
    return found


class Looking:
    """An `Observe` that adds up users' norms; `also` sees the gradients, too.

    Layers are those that `space` is in, first to last; the norm of one is that of all its B together. Who has no step
    left has no gradient, and does not count.
    """

    def __init__(self, space: LoraSpace, also: Observe | None = None) -> None:
        layers = sorted({site.layer for site in space.sites})
        self.layers, self.also = len(layers), also
        self.place = {
            f"{group.name}.B": torch.tensor([layers.index(site.layer) for site in group.sites])
            for group in space.groups
        }
        self.sums: list[list[float]] = []
        self.users: list[int] = []

    def __call__(self, step: int, grads: Mapping[str, Tensor]) -> None:
        """Add users' gradients (U, ...) of a step; of users trained after others, steps begin anew."""
        norms = layer_norms({name: grads[name] for name in self.place})
        squares = torch.zeros(len(next(iter(norms.values()))), self.layers)
        for name, places in self.place.items():
            squares.index_add_(1, places, norms[name].float().cpu().square())
        if step == len(self.sums):
            self.sums.append([0.0] * self.layers)
            self.users.append(0)
        together = squares.sqrt().sum(0).tolist()
        self.sums[step] = [old + new for old, new in zip(self.sums[step], together, strict=True)]
        self.users[step] += int(squares.any(1).sum())
        if self.also is not None:
            self.also(step, grads)

    def found(self) -> GradientNorms:
        """What was added up."""
        return GradientNorms(self.sums, self.users)
