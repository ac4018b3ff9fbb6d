"""The last layer's MLP at the few tokens whose output is looked at: nothing after it mixes tokens.

With logits only where labels are, the last MLP's other outputs reach nobody. Knows nothing of losses or adapters.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from tailorlm.backbone.patch import replaced_forward


@contextmanager
def last_mlp_at(model: Any, places: Tensor) -> Iterator[None]:
    """Inside, the last MLP gives zeros but at `places` (N, T) bool, for inputs (N, T, H); others pass unchanged.

    Nothing changes for a model whose last layer has no `mlp`, or one in which somebody replaced a forward (an
    injector, whose rows must stay rows). Backward may come after the block, recomputation may not.
    """
    mlp = _last_mlp(model)
    if mlp is None:
        yield
        return
    plain, chosen = mlp.forward, places.flatten().nonzero()[:, 0]

    def forward(x: Tensor) -> Any:
        if x.shape[:-1] != places.shape:
            return plain(x)
        flat = x.flatten(0, 1)
        made = plain(flat.index_select(0, chosen)[None])
        if not isinstance(made, Tensor):  # some mixtures of experts say more than their output
            return plain(x)
        return torch.zeros_like(flat).index_copy(0, chosen, made[0]).view_as(x)

    with replaced_forward(mlp, forward):
        yield


def _last_mlp(model: Any) -> Any:
    from transformers.modeling_layers import GradientCheckpointingLayer

    layers = [module for module in model.modules() if isinstance(module, GradientCheckpointingLayer)]
    mlp = getattr(layers[-1], "mlp", None) if layers else None
    if mlp is None or any("forward" in vars(module) for module in mlp.modules()):
        return None
    return mlp
