"""Whitened coordinates of statements, slot by slot: what differs between users, at one scale.

Sentence vectors of one slot lie close together, and a linear on raw vectors sees their differences last
(docs/hypernetwork.md). Knows nothing of texts, pools or adapters. Source: ours.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

# A whitened coordinate beyond it is a statement unlike all of training; it may not drown the other slots.
LIMIT = 8.0


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
