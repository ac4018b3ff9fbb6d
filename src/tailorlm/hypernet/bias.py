"""What both networks share: a LoRA as the heads' bias, and the size of what was generated.

Knows nothing of pools, trunks or texts. Source: reference sections 1 (L2 of generated weights) and 2 (a shared bias
LoRA plus a small user part).
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from tailorlm.adapters.batch import Adapters
from tailorlm.adapters.lora import LoraSpace
from tailorlm.hypernet.heads import Factor, Factors


@torch.no_grad()
def set_bias(space: LoraSpace, factors: Sequence[Factors], adapters: Adapters) -> None:
    """Copies one LoRA of `space` into the biases of its groups' `factors`.

    Raises ValueError if it is not one adapter of this space, or differs by layer and a bias is shared.
    """
    if len(adapters) != 1 or adapters.space.shapes() != space.shapes():
        raise ValueError(
            f"set_bias needs 1 adapter with tensors {space.shapes()}, "
            f"got {len(adapters)} with {adapters.space.shapes()}"
        )
    for group, pair in zip(space.groups, factors, strict=True):
        copy_bias(pair.a, adapters.tensors[f"{group.name}.A"][0], group.name)
        copy_bias(pair.b, adapters.tensors[f"{group.name}.B"][0].transpose(1, 2), group.name)


def copy_bias(factor: Factor, value: Tensor, name: str) -> None:
    """value (L, R, F), effective -> the factor's bias. ValueError if a shared bias cannot hold it."""
    value = value / factor.scaling
    if len(factor.bias) == 1 and not torch.equal(value, value[:1].expand_as(value)):
        raise ValueError(
            f"the LoRA of {name} differs from layer to layer and bias is 'shared'; build with bias='layer'"
        )
    factor.bias.copy_(value[: len(factor.bias)])


def l2(adapters: Adapters, scaling: float) -> Tensor:
    """Mean A^2 + mean B^2 over all sites of each user, B before its `scaling`: (U,)."""
    a = [t for name, t in adapters.tensors.items() if name.endswith(".A")]
    b = [t for name, t in adapters.tensors.items() if name.endswith(".B")]
    return mean_square(a) + mean_square(b) / scaling**2


def mean_square(tensors: Sequence[Tensor]) -> Tensor:
    """The mean of the squares of each user's numbers in all tensors (U, ...): (U,)."""
    total = torch.stack([t.square().flatten(1).sum(1) for t in tensors]).sum(0)
    return total / sum(t[0].numel() for t in tensors)
