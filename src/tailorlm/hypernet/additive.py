"""The additive hypernetwork: a user's B is a sum of what each statement adds; A is learned and shared by all.

No trunk: delta W = (B_0 + sum over slots k of W_k c_k) A, where c_k are the whitened coordinates of slot k. What
two statements do together is the sum of what each does alone, so pairs of traits that training never saw together
still compose (docs/hypernetwork.md has the comparison with the published trunk). Of a set (pool "attention") the c_k
are what learned queries read. Knows nothing of texts or encoders.
Kinds other than LoRA have no A: each of their tensors is such a sum.
Source: ours; shared A with user-specific B as PRISP's B (section 3.2) and Zhu et al. 2024 on LoRA's asymmetry.
"""

import math
from typing import Any

import torch
from torch import Tensor, nn

from tailorlm.adapters.batch import Adapters
from tailorlm.adapters.lora import LoraSpace
from tailorlm.adapters.space import AdapterSpace
from tailorlm.hypernet.bias import l2, set_bias
from tailorlm.hypernet.heads import Factors
from tailorlm.hypernet.pool import Attend, Slots
from tailorlm.hypernet.whole import WholeSum, biases, set_start, spread


class Sum(nn.Module):
    """One group's shared A and its B, linear in the coordinates (U, D), for each layer its own."""

    def __init__(self, factors: Factors, size: int) -> None:
        super().__init__()
        self.factors = factors
        layers, rank, d_out = factors.b.bias.shape
        self.weight = nn.Parameter(torch.zeros(size, layers * rank * d_out))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """x (U, D) -> A (L, U, R, I), the same for every user, and B (L, U, R, O)."""
        a, b = self.factors.a.bias, self.factors.b
        made = torch.addmm(b.bias.flatten(), x, self.weight, beta=b.scaling, alpha=b.scaling)
        return a[:, None].expand(-1, len(x), -1, -1), made.view(len(x), *b.bias.shape).transpose(0, 1)


class Additive(nn.Module):
    """Maps statements, vectors (U, K, E), to Adapters of `space`; call `fit` first.

    pool       "facets" (`slots` fixed slots; a missing one adds a learned term of its own) or "attention" (a set)
    components whitened coordinates, of each slot or of the set's one basis; queries: learned queries (attention)
    `scaling` is folded into B. ValueError on a setting outside its range.
    """

    def __init__(
        self, space: AdapterSpace, encoder_size: int, *, scaling: float, pool: str = "facets", slots: int = 1,
        components: int = 16, queries: int = 32,
    ) -> None:  # fmt: skip
        super().__init__()
        self.settings: dict[str, Any] = {
            "head": "additive", "pool": pool, "encoder_size": encoder_size, "scaling": scaling, "slots": slots,
            "components": components, "queries": queries,
        }  # fmt: skip
        check_additive(self.settings)
        self.space, self.scaling, self.slots = space, scaling, slots
        sets = pool == "attention"
        self.read = Attend(encoder_size, queries, components) if sets else Slots(encoder_size, slots, components)
        self.heads = nn.ModuleList(make_heads(space, self.read.size, scaling))

    def forward(self, vectors: Tensor, mask: Tensor) -> Adapters:
        """vectors (U, K, E), mask (U, K) bool, False where a statement is missing -> U adapters. float32."""
        self.check_input(vectors, mask)
        x = self.read(vectors.to(self.read.whitened.mean.dtype), mask)
        if isinstance(self.space, LoraSpace):
            return Adapters(self.space, self.factors_of(self.space, x))
        return Adapters(self.space, {name: head(x) for name, head in zip(self.space.shapes(), self.heads, strict=True)})

    def factors_of(self, space: LoraSpace, x: Tensor) -> dict[str, Tensor]:
        """Each group's A and B from coordinates (U, D)."""
        tensors: dict[str, Tensor] = {}
        for group, head in zip(space.groups, self.heads, strict=True):
            a, b = head(x)
            tensors[f"{group.name}.A"] = a.transpose(0, 1)
            tensors[f"{group.name}.B"] = b.permute(1, 0, 3, 2)
        return tensors

    def check_input(self, vectors: Tensor, mask: Tensor) -> None:
        """Raises ValueError unless vectors are (U, K, E) with this network's K and E, and mask (U, K) bool."""
        size, slots = self.settings["encoder_size"], "K" if self.settings["pool"] == "attention" else self.slots
        if vectors.ndim != 3 or vectors.shape[2] != size or slots not in ("K", vectors.shape[1]):
            raise ValueError(f"vectors must be (U, {slots}, {size}), got {tuple(vectors.shape)}")
        if mask.shape != vectors.shape[:2] or mask.dtype != torch.bool:
            raise ValueError(f"mask must be bool {tuple(vectors.shape[:2])}, got {mask.dtype} {tuple(mask.shape)}")

    def fit(self, vectors: Tensor, mask: Tensor) -> None:
        """Sets the bases from training users' vectors (N, K, E)."""
        self.check_input(vectors, mask)
        mean = self.read.whitened.mean
        self.read.fit(vectors.to(mean), mask.to(mean.device))

    def factors(self) -> list[Factors]:
        """The groups' factors, in the space's order; none for kinds other than LoRA."""
        return [head.factors for head in self.heads if isinstance(head, Sum)]

    def set_bias(self, adapters: Adapters) -> None:
        """Makes one adapter (MT-LoRA) the start: while weights are 0, every user's adapter equals it."""
        if isinstance(self.space, LoraSpace):
            set_bias(self.space, self.factors(), adapters)
        else:
            set_start(self.space, list(self.heads), adapters)

    def l2(self, adapters: Adapters) -> Tensor:
        """The regulariser (U,): mean A^2 + mean B^2 over all sites, B before its scaling; of other kinds `spread`."""
        if isinstance(self.space, LoraSpace):
            return l2(adapters, self.scaling)
        return spread(adapters, biases(self.space, list(self.heads)))


def make_heads(space: AdapterSpace, size: int, scaling: float) -> list[nn.Module]:
    """One sum a LoRA group, or a tensor of another kind, whose fresh adapter is its bias."""
    if not isinstance(space, LoraSpace):
        return [WholeSum(start, size, scaling) for start in space.start().values()]
    return [
        Sum(Factors(len(group.sites), space.rank, group.d_in, group.d_out, scaling, gain=False), size)
        for group in space.groups
    ]


def check_additive(settings: dict[str, Any]) -> None:
    """Raises ValueError naming the first setting that is out of range."""
    if settings["pool"] not in ("facets", "attention"):
        raise ValueError(f"pool is {settings['pool']!r}; head 'additive' expects one of facets, attention")
    for name in ("encoder_size", "slots", "components", "queries"):
        value = settings[name]
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise ValueError(f"{name} is {value!r}; it must be a whole number of at least 1")
    if not (math.isfinite(settings["scaling"]) and settings["scaling"] > 0):
        raise ValueError(f"scaling is {settings['scaling']!r}; it must be a finite number above 0")
