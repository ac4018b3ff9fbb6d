"""How far an adapter moves the model where nothing personal is asked: mean KL(base || adapted) per token.

Knows nothing of adapters or prompts: it compares logits. Source: issue 2 section 3 (neutral prompts).
"""

from collections.abc import Callable, Iterable
from typing import TypeVar

import torch
from torch import Tensor
from torch.nn.functional import kl_div, log_softmax

Batch = TypeVar("Batch")


def token_kl(base: Tensor, adapted: Tensor) -> Tensor:
    """KL(base || adapted) in nats of logits (..., V): shape (...), float32.

    Raises ValueError on unequal shapes.
    """
    if base.shape != adapted.shape:
        found, wanted = tuple(adapted.shape), tuple(base.shape)
        raise ValueError(f"adapted logits of shape {found}: expected the base's {wanted}")
    first, second = (log_softmax(logits.float(), dim=-1) for logits in (base, adapted))
    return kl_div(second, first, log_target=True, reduction="none").sum(-1)


def mean_kl(base: Tensor, adapted: Tensor, mask: Tensor) -> float:
    """Mean nats per token over logits (N, T, V) where `mask` (N, T) is true; ValueError when none is."""
    count = int(mask.bool().sum())
    if count == 0:
        raise ValueError("the mask holds no token: drift needs at least one")
    return float(token_kl(base[mask.bool()], adapted[mask.bool()]).double().sum()) / count


@torch.no_grad()
def drift(
    batches: Iterable[Batch],
    base: Callable[[Batch], Tensor],
    adapted: Callable[[Batch], Tensor],
    mask: Callable[[Batch], Tensor],
) -> float:
    """Mean nats per token over all batches: each callable takes a batch; logits (N, T, V), mask (N, T).

    A token counts the same in every batch. Raises ValueError when there is no token.
    """
    total, count = 0.0, 0
    for batch in batches:
        here = mask(batch).bool()
        total += float(token_kl(base(batch)[here], adapted(batch)[here]).double().sum())
        count += int(here.sum())
    if count == 0:
        raise ValueError("the batches hold no token: drift needs at least one")
    return total / count
