"""Gradient checkpointing of a model in eval mode: decoder layers are recomputed in backward, dropout stays off.

Knows nothing of adapters: they stay set on the model until after backward. Source: Chen et al. 2016.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def checkpointed(model: Any, active: bool) -> Iterator[None]:
    """Forward passes inside keep only the layers' inputs. Raises ValueError if the model has no such layers."""
    from transformers.modeling_layers import GradientCheckpointingLayer

    layers = [m for m in model.modules() if isinstance(m, GradientCheckpointingLayer)] if active else []
    if active and not layers:
        raise ValueError(f"{type(model).__name__} has no layers that transformers can checkpoint")
    if layers:
        model.activation_checkpointing_enable({"use_reentrant": False})
    try:
        for layer in layers:
            layer.training = True  # the layer alone, which turns checkpointing on; its children's dropout stays off
        yield
    finally:
        for layer in layers:
            layer.training = False
        if layers:
            model.activation_checkpointing_disable()
