"""The published trunk: a user's code and a place in the model in, a head input out, for all places at once.

It knows the number of modules and layers and, by index, where each site lies; it knows nothing of what the
heads make of its output, of ranks or of shapes. Source: P2P section 3 and the Text-to-LoRA network
(reference section 1): mixer, two residual blocks, a last block, with dropout where the published code has it.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def silu(x: Tensor) -> Tensor:
    """SiLU; overwrites its input where no gradient needs it (large short-lived tensors cost page faults)."""
    return F.silu(x, inplace=not torch.is_grad_enabled())


class FeedForward(nn.Module):
    """Linear to four times the size, SiLU, dropout, Linear, SiLU."""

    def __init__(self, size: int, out: int, dropout: float) -> None:
        super().__init__()
        self.up = nn.Linear(size, 4 * size)
        self.down = nn.Linear(4 * size, out)
        self.dropout = dropout

    def forward(self, x: Tensor) -> Tensor:
        return self.after(self.up(x))

    def after(self, hidden: Tensor) -> Tensor:
        """What follows the first linear; `hidden` (..., 4 size) may be overwritten. -> (..., out)"""
        hidden = F.dropout(silu(hidden), self.dropout, self.training)
        return silu(self.down(hidden))


class Mixer(nn.Module):
    """Mixes the user's code with the places: (U, H/2) and (S, H/2) -> (S, U, H)."""

    def __init__(self, size: int, dropout: float) -> None:
        super().__init__()
        self.body = FeedForward(size, size, dropout)
        self.dropout = dropout

    def forward(self, users: Tensor, places: Tensor) -> Tensor:
        hidden = self.drawn(users, places) if self.training and self.dropout else self.split(users, places)
        return F.dropout(self.body.after(hidden), self.dropout, self.training)

    def drawn(self, users: Tensor, places: Tensor) -> Tensor:
        """The first linear as published: each (site, user) pair draws its own dropout of the whole input."""
        pairs = len(places), len(users)
        joined = torch.cat([users.expand(*pairs, -1), places[:, None].expand(*pairs, -1)], -1)
        hidden: Tensor = self.body.up(F.dropout(joined, self.dropout, self.training))
        return hidden

    def split(self, users: Tensor, places: Tensor) -> Tensor:
        """The same linear where no dropout is drawn: each half multiplied once, then added pair by pair."""
        of_users, of_places = self.body.up.weight.split(users.shape[-1], dim=1)
        return F.linear(places, of_places, self.body.up.bias)[:, None] + F.linear(users, of_users)


class Residual(nn.Module):
    """x + dropout(feed-forward(LayerNorm(x))), any leading axes."""

    def __init__(self, size: int, dropout: float) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(size)
        self.body = FeedForward(size, size, dropout)
        self.dropout = dropout

    def forward(self, x: Tensor) -> Tensor:
        return x + F.dropout(self.body(self.norm(x)), self.dropout, self.training)


class Trunk(nn.Module):
    """The published trunk for S sites, of which `modules[s]` and `layers[s]` are the type and the depth.

    `latent` must be a multiple of 4: half of it is the user's code, a quarter each the depth and the module.
    """

    def __init__(
        self, modules: Sequence[int], layers: Sequence[int], latent: int, head_in: int, dropout: float
    ) -> None:
        super().__init__()
        if latent < 4 or latent % 4:
            raise ValueError(f"latent is {latent}; it must be a positive multiple of 4")
        self.depths = nn.Embedding(max(layers) + 1, latent // 4)
        self.depth_norm = nn.LayerNorm(latent // 4)
        self.kinds = nn.Embedding(max(modules) + 1, latent // 4)
        self.kind_norm = nn.LayerNorm(latent // 4)
        self.mixer = Mixer(latent, dropout)
        self.first = Residual(latent, dropout)
        self.second = Residual(latent, dropout)
        self.last_norm = nn.LayerNorm(latent)
        self.last = FeedForward(latent, head_in, dropout)
        self.module_index: Tensor
        self.layer_index: Tensor
        self.register_buffer("module_index", torch.tensor(modules), persistent=False)
        self.register_buffer("layer_index", torch.tensor(layers), persistent=False)

    def places(self) -> Tensor:
        """The sites' codes (S, latent/2): depth first, module second, each normalised, as published."""
        depth = self.depth_norm(self.depths(self.layer_index))
        return torch.cat([depth, self.kind_norm(self.kinds(self.module_index))], -1)

    def forward(self, users: Tensor, parts: Tensor | None = None) -> Tensor:
        """Users' codes (U, latent/2), parts (S, P, latent) or None (P = 1) -> head inputs (S, P, U, head_in).

        A part is what a head asks for separately at one site (A or B, or one rank row of them); it is added
        between the two residual blocks, so that all before it is computed once for all parts.
        """
        x = self.first(self.mixer(users, self.places()))[:, None]
        x = self.second(x if parts is None else x + parts[:, :, None])
        head_in: Tensor = self.last(self.last_norm(x))
        return head_in
