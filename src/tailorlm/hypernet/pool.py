"""Pools turn a user's vectors (U, K, E), with a mask of those present, into the user's code (U, D).

`Single` is the published linear for K = 1; `Facets` reads K fixed slots, each its own kind of statement;
`Attention` reads a set in any order. They know nothing of texts, encoders or adapters.
Source: P2P section 3 and reference section 1 (user encoder); the set pooling follows Doc-to-LoRA's use of
learned queries over item vectors (reference section 3); the slots are ours (docs/hypernetwork.md).
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

# A whitened coordinate beyond it is a statement unlike all of training; it may not drown the other slots.
LIMIT = 8.0


class Single(nn.Module):
    """The published user encoder: Linear(E, D) and LayerNorm of a user's one vector."""

    def __init__(self, encoder_size: int, size: int) -> None:
        super().__init__()
        self.linear = nn.Linear(encoder_size, size)
        self.norm = nn.LayerNorm(size)

    def forward(self, vectors: Tensor, mask: Tensor) -> Tensor:
        """(U, 1, E), (U, 1) -> (U, D). A user without a vector is a ValueError: there is nothing to read."""
        if not bool(mask.all()):
            rows = (~mask[:, 0]).nonzero().flatten().tolist()
            raise ValueError(
                f"pool 'single' needs one vector for every user, but rows {rows[:8]} of the batch have none; "
                "give such users the neutral profile's vector"
            )
        code: Tensor = self.norm(self.linear(vectors[:, 0]))
        return code


class Whitened(nn.Module):
    """Fixed slots, each in its own coordinates: a mean and a whitening basis fitted on training users."""

    def __init__(self, encoder_size: int, slots: int, components: int) -> None:
        super().__init__()
        self.mean: Tensor
        self.basis: Tensor
        self.fitted: Tensor
        self.register_buffer("mean", torch.zeros(slots, encoder_size))
        self.register_buffer("basis", torch.zeros(slots, encoder_size, components))
        self.register_buffer("fitted", torch.zeros((), dtype=torch.bool))

    def forward(self, vectors: Tensor, mask: Tensor) -> Tensor:
        """vectors (U, K, E) -> (U, K, P), exact zeros where the mask (U, K) is False. RuntimeError before `fit`."""
        if not bool(self.fitted):
            raise RuntimeError("pool 'facets' has no basis yet: call fit(vectors, mask) on the training users")
        by_slot: Tensor = torch.bmm((vectors - self.mean).transpose(0, 1), self.basis).transpose(0, 1)
        return by_slot.clamp(-LIMIT, LIMIT).masked_fill(~mask[..., None], 0.0)

    @torch.no_grad()
    def fit(self, vectors: Tensor, mask: Tensor) -> None:
        """Sets mean and basis from training vectors (N, K, E) and their mask (N, K)."""
        for slot in range(len(self.mean)):
            mean, basis = whiten(vectors[mask[:, slot], slot], self.basis.shape[-1])
            self.mean[slot], self.basis[slot] = mean, basis
        self.fitted.fill_(True)


class Facets(nn.Module):
    """Fixed slots: each in whitened coordinates, then one linear over all, LayerNorm.

    A missing slot counts through its own learned embedding and gives exact zeros otherwise.
    """

    def __init__(self, encoder_size: int, slots: int, size: int, components: int) -> None:
        super().__init__()
        self.whitened = Whitened(encoder_size, slots, components)
        self.linear = nn.Linear(slots * components, size)
        self.absent = nn.Parameter(torch.randn(slots, size) / math.sqrt(slots))
        self.norm = nn.LayerNorm(size)

    def forward(self, vectors: Tensor, mask: Tensor) -> Tensor:
        """(U, K, E), (U, K) -> (U, D). RuntimeError before `fit`."""
        read = self.linear(self.whitened(vectors, mask).flatten(1))
        code: Tensor = self.norm(read + (~mask).to(self.absent.dtype) @ self.absent)
        return code


def distinct(vectors: Tensor) -> tuple[Tensor, Tensor]:
    """The distinct rows of (N, E), in order of first appearance, and how often each occurs (V,)."""
    generator = torch.Generator(vectors.device).manual_seed(0)
    direction = torch.randn(vectors.shape[1], generator=generator, device=vectors.device, dtype=vectors.dtype)
    _, group, counts = torch.unique((vectors * direction).sum(1), return_inverse=True, return_counts=True)
    first = torch.full_like(counts, len(vectors))
    first.scatter_reduce_(0, group, torch.arange(len(vectors), device=group.device), "amin")
    order = first.argsort()
    return vectors[first[order]], counts[order]


def whiten(vectors: Tensor, components: int, floor: float = 1e-4) -> tuple[Tensor, Tensor]:
    """Mean (E,) and PCA-whitening basis (E, P) of vectors (N, E); columns below the floor are exact zeros.

    A distinct vector weighs the root of its count: frequent wordings lead, rare ones are not far outliers.
    `floor` is a variance as a share of the vectors' mean squared norm. N = 0 gives zeros.
    """
    basis = vectors.new_zeros(vectors.shape[1], components)
    if len(vectors) == 0:
        return vectors.new_zeros(vectors.shape[1]), basis
    values, counts = distinct(vectors.double())
    weights = counts.sqrt()[:, None] / counts.sqrt().sum()
    mean = (weights * values).sum(0)
    spread = weights.sqrt() * (values - mean)
    variances, directions = principal(spread)
    kept = int((variances[:components] > floor * values.square().sum(1).mean()).sum())
    basis[:, :kept] = (directions[:, :kept] / variances[:kept].sqrt()).to(basis.dtype)
    return mean.to(vectors.dtype), basis


def principal(spread: Tensor) -> tuple[Tensor, Tensor]:
    """Variances, largest first, and directions (E, *) of rows (V, E) by the smaller of the two Gram matrices.

    Each direction's sign makes its largest entry positive, so that the same data gives the same basis.
    """
    if len(spread) < spread.shape[1]:
        variances, left = torch.linalg.eigh(spread @ spread.T)
        directions = F.normalize(spread.T @ left, dim=0)
    else:
        variances, directions = torch.linalg.eigh(spread.T @ spread)
    largest = directions.gather(0, directions.abs().argmax(0, keepdim=True))
    return variances.flip(0), (directions * torch.where(largest < 0, -1.0, 1.0)).flip(1)


class Attention(nn.Module):
    """Learned queries attend over a set and a learned neutral vector, which is all that an empty set has."""

    def __init__(self, encoder_size: int, size: int, queries: int) -> None:
        super().__init__()
        self.queries = nn.Parameter(torch.randn(queries, size))
        self.read = nn.Linear(encoder_size, 2 * size)
        self.neutral = nn.Parameter(torch.randn(2 * size))
        self.out = nn.Linear(queries * size, size)
        self.norm = nn.LayerNorm(size)

    def forward(self, vectors: Tensor, mask: Tensor) -> Tensor:
        """(U, K, E), (U, K) -> (U, D), the same for any order of the K."""
        users = len(vectors)
        items = self.read(vectors).masked_fill(~mask[..., None], 0.0)
        items = torch.cat([self.neutral.to(items.dtype).expand(users, 1, -1), items], 1)
        keys, values = items.chunk(2, -1)
        present = F.pad(mask, (1, 0), value=True)[:, None]
        queries = self.queries.to(items.dtype).expand(users, -1, -1)
        read = F.scaled_dot_product_attention(queries, keys, values, attn_mask=present)
        code: Tensor = self.norm(self.out(read.flatten(1)))
        return code
