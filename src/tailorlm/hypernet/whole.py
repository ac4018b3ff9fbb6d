"""What is generated whole, for kinds of adapters that are no product of two factors (IA3, prompts, prefixes).

A tensor (P, ...) of the space has P places: the layers of a stack, or the tokens of a prompt. A head makes one place's
numbers, the same way for all places of its tensor, and adds them to a bias: a fresh adapter as PEFT starts it. Knows
nothing of kinds, users or the trunk. Source: P2P section 3 (heads), whose future work these kinds are; design
section 3 (the start).
"""

from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tailorlm.adapters.batch import Adapters
from tailorlm.adapters.space import AdapterSpace
from tailorlm.hypernet.bias import mean_square


class Whole(nn.Module):
    """One linear of a place's numbers; `bias` (P, ...), or (1, ...) shared by the places. Weights start at 0.

    `gain`: each row of a place's numbers (a token's, or all) has a learned gain.
    """

    def __init__(self, start: Tensor, head_in: int, scaling: float, shared: bool, gain: bool) -> None:
        super().__init__()
        self.scaling = scaling
        self.bias = nn.Parameter(start[:1].clone() if shared else start.clone())
        self.weight = nn.Parameter(torch.zeros(start[0].numel(), head_in))
        self.gain = nn.Parameter(torch.ones(*start.shape[1:-1], 1)) if gain else None

    def forward(self, x: Tensor) -> Tensor:
        """x (P, 1, U, H) -> (U, P, ...): bias + scaling * gain * what the linear makes."""
        made = F.linear(x[:, 0], self.weight).unflatten(-1, self.bias.shape[1:]).transpose(0, 1)
        scale = self.scaling if self.gain is None else self.scaling * self.gain
        whole: Tensor = (self.bias + scale * made).to(self.bias.dtype)
        return whole


class WholeSum(nn.Module):
    """Linear in coordinates (U, D): each coordinate adds its own to the bias, another at each place."""

    def __init__(self, start: Tensor, size: int, scaling: float) -> None:
        super().__init__()
        self.scaling = scaling
        self.bias = nn.Parameter(start.clone())
        self.weight = nn.Parameter(torch.zeros(size, start.numel()))

    def forward(self, x: Tensor) -> Tensor:
        """x (U, D) -> (U, P, ...)."""
        made = torch.addmm(self.bias.flatten(), x, self.weight, alpha=self.scaling)
        return made.view(len(x), *self.bias.shape)


def places(space: AdapterSpace) -> list[int]:
    """P of each tensor, in the space's order."""
    return [shape[0] for shape in space.shapes().values()]


@torch.no_grad()
def set_start(space: AdapterSpace, heads: Sequence[nn.Module], adapters: Adapters) -> None:
    """Copies one adapter of `space` into the heads' biases.

    ValueError if it is not one adapter of this space, or differs by place where a bias is shared.
    """
    if len(adapters) != 1 or adapters.space.shapes() != space.shapes():
        raise ValueError(
            f"set_bias needs 1 adapter with tensors {space.shapes()}, "
            f"got {len(adapters)} with {adapters.space.shapes()}"
        )
    for name, bias in biases(space, heads).items():
        value = adapters.tensors[name][0]
        if len(bias) == 1 and not torch.equal(value, value[:1].expand_as(value)):
            raise ValueError(f"{name} differs from place to place and bias is 'shared'; build with bias='layer'")
        bias.copy_(value[: len(bias)])


def spread(adapters: Adapters, bias: Mapping[str, Tensor]) -> Tensor:
    """Mean square of how far each user's numbers are from what all users share: the regulariser (U,)."""
    return mean_square([tensor - bias[name] for name, tensor in adapters.tensors.items()])


def biases(space: AdapterSpace, heads: Sequence[nn.Module]) -> dict[str, Tensor]:
    """The heads' biases by the names of the tensors."""
    whole = [head for head in heads if isinstance(head, Whole | WholeSum)]
    return {name: head.bias for name, head in zip(space.shapes(), whole, strict=True)}
