"""Gradient checkpointing of a model in eval mode: layers are recomputed in backward, dropout stays off.

Knows nothing of adapters: they stay set on the model until after backward. Source: Chen et al. 2016.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from torch.utils.checkpoint import checkpoint

from tailorlm.backbone.patch import replace_forward, restore_forward


@contextmanager
def checkpointed(model: Any, active: bool) -> Iterator[None]:
    """Forward passes inside keep only the layers' inputs. Raises ValueError if the model has no such layer.

    Backward may come after the block. With `active` false nothing changes.
    """
    from transformers.modeling_layers import GradientCheckpointingLayer

    modules: list[Any] = list(model.modules()) if active else []
    layers: list[Any] = [m for m in modules if isinstance(m, GradientCheckpointingLayer)]
    if active and not layers:
        raise ValueError(f"{type(model).__name__} has no layers that transformers can checkpoint")
    # transformers' own switch drops the cache that virtual tokens come in; ours gives a layer all that it was given.
    for layer in layers:
        replace_forward(layer, partial(checkpoint, layer.forward, use_reentrant=False))
    try:
        yield
    finally:
        for layer in layers:
            restore_forward(layer)
