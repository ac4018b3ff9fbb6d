"""Adapters cut out of the base's own weights or of a user's gradient, to begin training at: PiSSA and LoRA-GA.

Both begin at the plain base: what they make is taken off the weight, W = W0 - scaling B0 A0 + scaling B A, which
bridge.py writes as a change of the plain base. Knows nothing of training. Sources: PiSSA, Meng et al. 2024, eq. 2 to 4
(A0 = sqrt(S_r) V_r^T, B0 = U_r sqrt(S_r) of W = U S V^T). LoRA-GA, Wang et al. 2024, algorithm 1 (with the gradient
G = U S V^T of the user's own items: A0 = g V_1..r^T, B0 = g U_r+1..2r, g = d_out^(1/4) / sqrt(gamma); gamma 16 as in
the authors' code, whose scale is called "stable"). PEFT's own LoRA-GA multiplies B0 by the singular values instead
and leaves A0 unscaled; we follow the authors.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from tailorlm.adapters.batch import Adapters
from tailorlm.adapters.lora import LoraSpace
from tailorlm.backbone.loss import row_losses
from tailorlm.backbone.model import Backbone
from tailorlm.backbone.patch import replace_forward, restore_forward
from tailorlm.backbone.rows import Row, collate

GAMMA = 16.0


@torch.no_grad()
def pissa(backbone: Backbone, space: LoraSpace) -> Adapters:
    """One adapter: the largest `rank` singular parts of each site's weight, delta W = B A."""
    tensors: dict[str, Tensor] = {}
    for group in space.groups:
        weights = torch.stack([_weight(backbone, site.path) for site in group.sites])
        u, s, v = torch.linalg.svd(weights, full_matrices=False)  # (L, O, K), (L, K), (L, K, I)
        root = s[:, : space.rank].sqrt()
        tensors[f"{group.name}.A"] = (root[:, :, None] * v[:, : space.rank])[None]
        tensors[f"{group.name}.B"] = (u[:, :, : space.rank] * root[:, None])[None]
    return Adapters(space, tensors)


def lora_ga(
    backbone: Backbone, space: LoraSpace, rows: Sequence[Sequence[Row]], scaling: float, rows_at_once: int,
    gamma: float = GAMMA,
) -> Adapters:  # fmt: skip
    """One adapter a user from the gradient of the mean loss of the user's `rows` (U lists), delta W = B A.

    `scaling` is that of the LoRA in training: B here has it in. A user without rows, who has no gradient, begins as an
    ordinary LoRA does: A random, B zero. One user at a time: a gradient has the size of the weights. ValueError where
    a site is too small for two times the rank.
    """
    _check_rank(space)
    return Adapters.cat([_one(backbone, space, own, scaling, rows_at_once, gamma) for own in rows])


def _one(
    backbone: Backbone, space: LoraSpace, rows: Sequence[Row], scaling: float, rows_at_once: int, gamma: float
) -> Adapters:
    if not rows:
        plain = space.start(torch.Generator().manual_seed(0))
        return Adapters(space, {name: t[None].to(backbone.device) for name, t in plain.items()})
    gradients = weight_gradients(backbone, space, rows, rows_at_once)
    tensors: dict[str, Tensor] = {}
    for group in space.groups:
        found = torch.stack([gradients[site.path] for site in group.sites])
        u, _, v = torch.linalg.svd(found, full_matrices=False)
        size = group.d_out**0.25 / gamma**0.5
        tensors[f"{group.name}.A"] = size * v[:, : space.rank][None]
        tensors[f"{group.name}.B"] = size * scaling * u[:, :, space.rank : 2 * space.rank][None]
    return Adapters(space, tensors)


def weight_gradients(backbone: Backbone, space: LoraSpace, rows: Sequence[Row], rows_at_once: int) -> dict[str, Tensor]:
    """The gradient (O, I) of the rows' mean loss by the weight of each site, by path; the weights stay frozen."""
    taps = {site.path: _Tap(site.d_out, site.d_in, backbone.device) for site in space.sites}
    with _tapped(backbone.model, taps):
        for at in range(0, len(rows), rows_at_once):
            some = rows[at : at + rows_at_once]
            losses = row_losses(backbone, collate(some, backbone.pad_id, [-1] * len(some)))
            for tap, gradient in zip(taps.values(), _by_outputs(losses.sum() / len(rows), taps), strict=True):
                tap.add(gradient)
    return {path: tap.total for path, tap in taps.items()}


class _Tap:
    """Sees a layer's input and output; the weight's gradient is (gradient of the output)^T (input)."""

    def __init__(self, d_out: int, d_in: int, device: torch.device) -> None:
        self.total = torch.zeros(d_out, d_in, device=device)
        self.x: Tensor | None = None
        self.y: Tensor | None = None

    def over(self, plain: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
        def forward(x: Tensor) -> Tensor:
            # The base is frozen: the first layer's output has no history of its own, and is made a leaf.
            y = plain(x)
            self.x, self.y = x.detach(), y if y.requires_grad else y.requires_grad_()
            return self.y.clone()

        return forward

    def add(self, gradient: Tensor) -> None:
        assert self.x is not None
        self.total += gradient.flatten(0, 1).float().T @ self.x.flatten(0, 1).float()
        self.x = self.y = None


def _by_outputs(loss: Tensor, taps: dict[str, _Tap]) -> Sequence[Tensor]:
    return torch.autograd.grad(loss, [tap.y for tap in taps.values() if tap.y is not None])


@contextmanager
def _tapped(model: Any, taps: dict[str, _Tap]) -> Iterator[None]:
    linears = {path: model.get_submodule(path) for path in taps}
    try:
        for path, linear in linears.items():
            replace_forward(linear, taps[path].over(linear.forward))
        yield
    finally:
        for linear in linears.values():
            restore_forward(linear)


def _weight(backbone: Backbone, path: str) -> Tensor:
    weight: Tensor = backbone.model.get_submodule(path).weight
    return weight.float()


def _check_rank(space: LoraSpace) -> None:
    small = [site for site in space.sites if min(site.d_in, site.d_out) < 2 * space.rank]
    if small:
        raise ValueError(
            f"lora_ga takes A from the first and B from the second {space.rank} singular vectors: "
            f"{small[0].path} is {small[0].d_in}x{small[0].d_out}, too small for rank {space.rank}"
        )
