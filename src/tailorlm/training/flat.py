"""Many users' parameters in one tensor, a row a user, seen by their names.

One tensor is what an optimiser, a gradient norm or a file wants; names and shapes are what a loss wants. Knows
nothing of either. Source: design section 3 (users trained side by side).
"""

from collections.abc import Mapping
from math import prod

import torch
from torch import Tensor

Layout = dict[str, tuple[int, ...]]
"""Each parameter's shape without the user axis, in the order in which they lie in a row."""


def layout(params: Mapping[str, Tensor]) -> Layout:
    """The layout of `params` (name -> (U, ...)), by name."""
    return {name: tuple(params[name].shape[1:]) for name in sorted(params)}


def flat(params: Mapping[str, Tensor]) -> Tensor:
    """A copy (U, P) of `params` (name -> (U, ...)), float32 unless they are float64.

    Raises ValueError where there are none or their user axes differ.
    """
    users = {name: len(tensor) for name, tensor in sorted(params.items())}
    if len(set(users.values())) != 1:
        raise ValueError(f"parameters need one leading user axis of one length; received {users}")
    rows = [params[name].detach().flatten(1) for name in sorted(params)]
    together = torch.cat(rows, 1)
    return together if together.dtype == torch.float64 else together.float()


def views(rows: Tensor, shapes: Layout) -> dict[str, Tensor]:
    """The parameters (name -> (U, ...)) in `rows` (U, P), without a copy."""
    sizes = [prod(shape) for shape in shapes.values()]
    parts = rows.split(sizes, 1)
    return {name: part.unflatten(1, shape) for (name, shape), part in zip(shapes.items(), parts, strict=True)}


def add_gradients(loss: Tensor, leaves: Mapping[str, Tensor], grads: Mapping[str, Tensor]) -> None:
    """Add the gradient of `loss` by each of `leaves` into `grads` of the same names and shapes."""
    # Not backward(): it wants gradients laid out densely, which views into one tensor are not.
    found = torch.autograd.grad(loss, list(leaves.values()), allow_unused=True)
    for name, gradient in zip(leaves, found, strict=True):
        if gradient is not None:
            grads[name].add_(gradient)
