"""PRISP's user part: delta W = B C A at each site, A the anchor's, C an r x r bridge that starts at the identity.

Raw tensors, by group of sites: A (U, L, R, I), B (U, L, O, R), C (U, L, R, R); delta W = scaling * B C A. Where the
anchor is cut out of the base itself (PiSSA, LoRA-GA: see starts.py) the anchor's own part is taken off again,
delta W = scaling * (B C A - B0 A0), so that what is exported fits the plain base. Knows nothing of users or training.
Source: PRISP section 3 (stage 2), table 5 (variants), appendix D.1 (count of parameters).
"""

from collections.abc import Mapping
from typing import Literal

import torch
from torch import Tensor

from tailorlm.adapters.batch import Adapters
from tailorlm.adapters.lora import LoraSpace

Raw = Mapping[str, Tensor]
Train = Literal["B+C", "B", "C", "full"]
TRAINED: Mapping[Train, tuple[str, ...]] = {"B+C": ("B", "C"), "B": ("B",), "C": ("C",), "full": ("A", "B")}
"""PRISP, no bridge, bridge only, full LoRA."""


def parts(anchor: Adapters, users: int, train: Train, scaling: float, cut_out: bool) -> tuple[Raw, Raw]:
    """What is trained and what is frozen, (U, ...) by name, of an `anchor` of one or U adapters.

    `cut_out`: the anchor is a part of the base, and its start A0, B0 is frozen beside. ValueError for another number.
    """
    if len(anchor) not in (1, users):
        raise ValueError(f"an anchor is one adapter for all or one for each of {users} users, got {len(anchor)}")
    trained: dict[str, Tensor] = {}
    frozen: dict[str, Tensor] = {}
    for name, tensor in raw(anchor, scaling).items():
        group, part = name.rsplit(".", 1)
        own = tensor.expand(users, *tensor.shape[1:])
        (trained if part in TRAINED[train] else frozen)[name] = own
        if cut_out and (part == "B" or train == "full"):
            frozen[f"{group}.{part}0"] = own
        if part == "A" and "C" in TRAINED[train]:
            identity = torch.eye(tensor.shape[2], device=tensor.device)
            trained[f"{group}.C"] = identity.repeat(users, tensor.shape[1], 1, 1)
    return trained, frozen


def raw(anchor: Adapters, scaling: float) -> dict[str, Tensor]:
    """A and B of LoRA adapters with the scale taken out of B, float32."""
    tensors = anchor.detach().tensors
    return {name: (t / scaling if name.endswith(".B") else t).float() for name, t in tensors.items()}


def space(anchor: LoraSpace, train: Train, cut_out: bool) -> LoraSpace:
    """Where the exported adapters live: a LoRA of the anchor's rank, of twice that where A moves off the A0 it had."""
    return LoraSpace(anchor.sites, anchor.rank * (2 if cut_out and train == "full" else 1))


def effective(where: LoraSpace, scaling: float, trained: Raw, frozen: Raw) -> Adapters:
    """The users' parameters (U, ...) as LoRA (A, scaling B C) of `where`, differentiable.

    With a start A0, B0: (A', A0) and (B', -B0) along the rank; (A, B C - B0) where A was frozen.
    """
    found = {**frozen, **trained}
    tensors: dict[str, Tensor] = {}
    for group in where.groups:
        a, b = found[f"{group.name}.A"], found[f"{group.name}.B"]
        c, a0, b0 = (found.get(f"{group.name}.{part}") for part in ("C", "A0", "B0"))
        b = b if c is None else b @ c
        if b0 is not None:
            b = b - b0 if a0 is None else torch.cat([b, -b0], 3)
        tensors[f"{group.name}.A"] = a if a0 is None else torch.cat([a, a0], 2)
        tensors[f"{group.name}.B"] = b * scaling
    return Adapters(where, tensors)


def trainable(anchor: LoraSpace, train: Train) -> int:
    """How many numbers of a user are trained: r d_out + r^2 a site for PRISP, r (d_in + d_out) for the full LoRA."""
    rank, named = anchor.rank, TRAINED[train]
    inputs, outputs = sum(site.d_in for site in anchor.sites), sum(site.d_out for site in anchor.sites)
    return rank * (inputs * ("A" in named) + outputs * ("B" in named) + rank * len(anchor.sites) * ("C" in named))


def layer_norms(grads: Raw) -> dict[str, Tensor]:
    """The norm of each user's gradient by layer, (U, L) by name: PRISP's figure 9 is its mean over users."""
    return {name: torch.linalg.vector_norm(grad.detach(), dim=(2, 3)) for name, grad in grads.items()}
