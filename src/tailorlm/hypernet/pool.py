"""Pools turn a user's vectors (U, K, E), with a mask of those present, into the user's code (U, D).

`Single` is the published linear for K = 1; `Facets` reads K fixed slots, each its own kind of statement; `Attention`
reads a set in any order. `Slots` and `Attend` are the last two before their linear, as the additive network reads
them. They know nothing of texts, encoders or adapters.
Source: P2P section 3 and reference section 1 (user encoder); the set pooling follows Doc-to-LoRA's use of
learned queries over item vectors (reference section 3), a head a query as in Set Transformer's pooling (Lee et al.
2019); the slots are ours (docs/hypernetwork.md).
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tailorlm.hypernet.whitening import Whitened

WIDTH = 16
"""Numbers that a learned query reads of a set."""
GAIN = 4.0
"""What is read is an average of a few dozen statements, about a quarter as long as one of them."""


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

    def fit(self, vectors: Tensor, mask: Tensor) -> None:
        """Sets the slots' bases from training vectors (N, K, E) and their mask (N, K)."""
        self.whitened.fit(vectors, mask)


class Slots(nn.Module):
    """Fixed slots in whitened coordinates, and which of them are missing, as they are: nothing is learned."""

    def __init__(self, encoder_size: int, slots: int, components: int) -> None:
        super().__init__()
        self.size = slots * (components + 1)
        self.whitened = Whitened(encoder_size, slots, components)

    def forward(self, vectors: Tensor, mask: Tensor) -> Tensor:
        """(U, K, E), (U, K) -> (U, size), of unit length for a typical user with one number a slot."""
        read = self.whitened(vectors, mask).flatten(1)
        return torch.cat([read, (~mask).to(read.dtype)], 1) / math.sqrt(read.shape[1])

    def fit(self, vectors: Tensor, mask: Tensor) -> None:
        """Sets the slots' bases from training vectors (N, K, E) and their mask (N, K)."""
        self.whitened.fit(vectors, mask)


class Attend(nn.Module):
    """Each learned query reads `WIDTH` numbers of a set, and of a neutral vector, which is all that an empty set has.

    Statements are seen in whitened coordinates, one basis for all: raw sentence vectors are so alike that attention
    over them is their mean.
    """

    def __init__(self, encoder_size: int, queries: int, components: int) -> None:
        super().__init__()
        self.size = queries * WIDTH
        self.whitened = Whitened(encoder_size, 1, components)
        self.queries = nn.Parameter(torch.randn(queries, 1, WIDTH))
        self.read = nn.Linear(components, 2 * self.size)
        self.neutral = nn.Parameter(torch.randn(2, queries, 1, WIDTH))

    def forward(self, vectors: Tensor, mask: Tensor) -> Tensor:
        """(U, K, E), (U, K) -> (U, size), the same for any order of the K. RuntimeError before `fit`."""
        users, count = mask.shape
        seen = self.whitened(vectors.flatten(0, 1)[:, None], mask.flatten()[:, None])[:, 0]
        items = self.read(seen).view(users, count, 2, len(self.queries), WIDTH).permute(2, 0, 3, 1, 4)
        keys, values = torch.cat([self.neutral[:, None].expand(-1, users, -1, -1, -1), items], 3)
        present = F.pad(mask, (1, 0), value=True)[:, None, None]
        read = F.scaled_dot_product_attention(self.queries.expand(users, -1, -1, -1), keys, values, attn_mask=present)
        return read.flatten(1) * (GAIN / math.sqrt(self.size))

    def fit(self, vectors: Tensor, mask: Tensor) -> None:
        """Sets the basis from training users' sets (N, K, E) and their mask (N, K)."""
        there = vectors[mask][:, None]
        self.whitened.fit(there, torch.ones(there.shape[:2], dtype=torch.bool, device=mask.device))


class Attention(nn.Module):
    """Learned queries attend over a set, one linear over what they read, LayerNorm."""

    def __init__(self, encoder_size: int, size: int, queries: int, components: int) -> None:
        super().__init__()
        self.attend = Attend(encoder_size, queries, components)
        self.out = nn.Linear(self.attend.size, size)
        self.norm = nn.LayerNorm(size)

    def forward(self, vectors: Tensor, mask: Tensor) -> Tensor:
        """(U, K, E), (U, K) -> (U, D), the same for any order of the K. RuntimeError before `fit`."""
        code: Tensor = self.norm(self.out(self.attend(vectors, mask)))
        return code

    def fit(self, vectors: Tensor, mask: Tensor) -> None:
        """Sets the basis from training users' sets (N, K, E) and their mask (N, K)."""
        self.attend.fit(vectors, mask)
