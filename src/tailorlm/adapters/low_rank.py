"""The products of LoRA on a batch: h = A x once for all layers that read one input, then y + B h for each.

Knows nothing of users: the rows' weights are given. Source: design section 3 (two batched matmuls a row; weights are
never repeated per token; sites that share an input share the first matmul).
"""

import torch
from torch import Tensor
from torch.nn.functional import dropout as drop

from tailorlm.adapters.space import Plain


class First:
    """h = A x of all sites that read one input: computed by the first that asks, dropped after the last."""

    __slots__ = ("a", "dropout", "h", "left", "sharers", "x")

    def __init__(self, a: Tensor, sharers: int, dropout: float) -> None:
        self.a, self.sharers, self.dropout = a, sharers, dropout
        self.x: Tensor | None = None
        self.h: Tensor | None = None
        self.left = 0

    def __call__(self, x: Tensor) -> Tensor:
        if self.x is x and self.h is not None:
            h = self.h
        else:
            h = torch.bmm(drop(x, self.dropout) if self.dropout else x, self.a)
            self.x, self.h, self.left = x, h, self.sharers
        self.left -= 1
        if self.left == 0:
            self.x = self.h = None
        return h


class Delta:
    """y += h B of one site; writes to y, a fresh output of a frozen layer that no backward needs."""

    __slots__ = ("b", "first", "rank", "start")

    def __init__(self, first: First, start: int, rank: int, b: Tensor) -> None:
        self.first, self.start, self.rank, self.b = first, start, rank, b

    def __call__(self, x: Tensor, plain: Plain) -> Tensor:
        y = plain(x)
        h = self.first(x).narrow(2, self.start, self.rank)
        if h.dtype == y.dtype == self.b.dtype:
            return y.baddbmm_(h, self.b)
        return y + torch.bmm(h, self.b.to(h.dtype)).to(y.dtype)  # under autocast the layer's dtype is its own
