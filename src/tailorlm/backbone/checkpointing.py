"""Gradient checkpointing of a model in eval mode: layers are recomputed in backward, dropout stays off.

Knows nothing of adapters: they stay set on the model until after backward. Source: Chen et al. 2016.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from torch.utils.checkpoint import checkpoint


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
    try:
        for layer in layers:
            layer.gradient_checkpointing = True
            layer._gradient_checkpointing_func = partial(checkpoint, use_reentrant=False)
            layer.training = True  # transformers asks for it; of the layer alone, so dropout below stays off
        yield
    finally:
        for layer in layers:
            layer.gradient_checkpointing = layer.training = False
