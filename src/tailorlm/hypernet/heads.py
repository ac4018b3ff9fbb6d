"""Heads turn head inputs into the LoRA factors A and B of one group of sites; three sizes of them.

`L` one linear makes A and B at once; `M` one linear made for the larger of the two is asked twice, for A and
for B; `S` one linear makes one rank row, asked for each of A's and B's. What is asked for is told to the
trunk by learned parts. A head knows its group's shape, and nothing of users, the trunk or where sites lie.
Source: Text-to-LoRA section 3 (variants L, M, S); P2P section 3; reference section 1 (bias = a fresh PEFT
init). The per-rank gain follows Doc-to-LoRA (reference section 3).
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Factor(nn.Module):
    """What one factor of a group owns whatever the head: a bias, and a gain per rank row if `gain`.

    `bias` (1, R, F) is shared by all layers, as published, or (L, R, F) is one for each.
    F is I for A and O for B.
    """

    def __init__(self, layers: int, rank: int, features: int, scaling: float, gain: bool) -> None:
        super().__init__()
        self.scaling = scaling
        self.bias = nn.Parameter(torch.zeros(layers, rank, features))
        self.gain = nn.Parameter(torch.ones(rank, 1)) if gain else None

    def draw(self) -> None:
        """A fresh PEFT init of A: Kaiming-uniform with a = sqrt(5), for each layer of the bias."""
        for layer in self.bias:
            nn.init.kaiming_uniform_(layer, a=math.sqrt(5))

    def project(self, x: Tensor, weight: Tensor) -> Tensor:
        """Head inputs (L, U, H) times weight (R F, H), finished: -> (L, U, R, F).

        The published form is one fused call; the scale rides in it, so nothing passes over the output again.
        """
        shape = (*x.shape[:-1], *self.bias.shape[1:])
        if self.gain is None and len(self.bias) == 1:
            rows, flat = x.reshape(-1, x.shape[-1]), self.bias.flatten()
            made = torch.addmm(flat, rows, weight.t(), beta=self.scaling, alpha=self.scaling)
            return made.view(shape).to(weight.dtype)
        return self.finish(F.linear(x, weight).view(shape))

    def finish(self, raw: Tensor) -> Tensor:
        """scaling * (gain * raw + bias) for raw (L, U, R, F), in one pass over it."""
        bias = self.scaling * self.bias[:, None]
        if self.gain is None:
            return torch.add(bias, raw, alpha=self.scaling).to(self.bias.dtype)
        return torch.addcmul(bias, raw, self.scaling * self.gain).to(self.bias.dtype)


class Factors(nn.Module):
    """The two factors of a group: A (L, U, R, I) unscaled, B (L, U, R, O) with the LoRA scale."""

    def __init__(self, layers: int, rank: int, d_in: int, d_out: int, scaling: float, gain: bool) -> None:
        super().__init__()
        self.a = Factor(layers, rank, d_in, 1.0, gain)
        self.b = Factor(layers, rank, d_out, scaling, gain)
        self.a.draw()


class HeadL(nn.Module):
    """One linear of R (I + O) outputs, shared over layers; kept as its two blocks of rows, A's and B's.

    The published head is the two stacked; apart, each takes its own scale and its gradient is not copied.
    """

    def __init__(self, factors: Factors, head_in: int) -> None:
        super().__init__()
        self.factors = factors
        self.weight_a = nn.Parameter(torch.zeros(factors.a.bias[0].numel(), head_in))
        self.weight_b = nn.Parameter(torch.zeros(factors.b.bias[0].numel(), head_in))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """x (L, 1, U, H) -> A (L, U, R, I), B (L, U, R, O)."""
        x = x[:, 0]
        return self.factors.a.project(x, self.weight_a), self.factors.b.project(x, self.weight_b)


class HeadM(nn.Module):
    """One linear of R max(I, O) outputs; its first I (O) columns of each rank row are A's (B's)."""

    def __init__(self, factors: Factors, head_in: int) -> None:
        super().__init__()
        self.factors = factors
        (rank, d_in), d_out = factors.a.bias.shape[1:], factors.b.bias.shape[-1]
        self.weight = nn.Parameter(torch.zeros(rank * max(d_in, d_out), head_in))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """x (L, 2, U, H), A's part first -> A (L, U, R, I), B (L, U, R, O)."""
        (rank, d_in), d_out = self.factors.a.bias.shape[1:], self.factors.b.bias.shape[-1]
        a, b = F.linear(x, self.weight).unflatten(-1, (rank, -1)).unbind(1)
        return self.factors.a.finish(a[..., :d_in]), self.factors.b.finish(b[..., :d_out])


class HeadS(nn.Module):
    """One linear of max(I, O) outputs: one rank row of A or of B at a time."""

    def __init__(self, factors: Factors, head_in: int) -> None:
        super().__init__()
        self.factors = factors
        self.weight = nn.Parameter(torch.zeros(max(factors.a.bias.shape[-1], factors.b.bias.shape[-1]), head_in))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """x (L, 2 R, U, H), A's rows first -> A (L, U, R, I), B (L, U, R, O)."""
        d_in, d_out = self.factors.a.bias.shape[-1], self.factors.b.bias.shape[-1]
        a, b = F.linear(x, self.weight).transpose(1, 2).chunk(2, dim=2)
        return self.factors.a.finish(a[..., :d_in]), self.factors.b.finish(b[..., :d_out])


class PartsM(nn.Module):
    """Learned codes of "A" and "B" for each module: -> (S, 2, latent)."""

    def __init__(self, modules: int, latent: int) -> None:
        super().__init__()
        self.factor = nn.Parameter(torch.randn(modules, 2, latent))
        self.norm = nn.LayerNorm(latent)

    def forward(self, module_index: Tensor) -> Tensor:
        codes: Tensor = self.norm(self.factor)
        return codes[module_index]


class PartsS(nn.Module):
    """Codes of "row r of A" and "row r of B": a factor's code plus a rank's: -> (S, 2 R, latent)."""

    def __init__(self, modules: int, rank: int, latent: int) -> None:
        super().__init__()
        self.factors = PartsM(modules, latent)
        self.rank = nn.Parameter(torch.randn(rank, latent))
        self.norm = nn.LayerNorm(latent)

    def forward(self, module_index: Tensor) -> Tensor:
        codes: Tensor = self.factors(module_index)[:, :, None] + self.norm(self.rank)
        return codes.flatten(1, 2)
