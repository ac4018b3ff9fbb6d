"""The state of every random stream a training run draws from: Python, numpy, torch, and the GPU's.

Knows nothing of what is trained. Streams of an objective's own belong in its `state_dict`.
"""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch


def seed_streams(seed: int) -> None:
    """Start the process's streams from one seed."""
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)


def streams_state() -> dict[str, Any]:
    """All streams' states, made of what `torch.load(weights_only=True)` reads."""
    numpy_state: Any = np.random.get_state(legacy=False)
    inner = {**numpy_state["state"], "key": numpy_state["state"]["key"].tolist()}
    return {
        "python": random.getstate(),
        "numpy": {**numpy_state, "state": inner},
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
    }


def set_streams(state: dict[str, Any]) -> None:
    """Continue from `streams_state()`; a GPU's streams are set only where there are as many GPUs as saved."""
    random.setstate(state["python"])
    inner = {**state["numpy"]["state"], "key": np.array(state["numpy"]["state"]["key"], dtype=np.uint32)}
    np.random.set_state({**state["numpy"], "state": inner})
    torch.set_rng_state(state["torch"].cpu())
    if state["cuda"] and torch.cuda.device_count() == len(state["cuda"]):
        torch.cuda.set_rng_state_all([s.cpu() for s in state["cuda"]])


@contextmanager
def streams_untouched() -> Iterator[None]:
    """Whatever is drawn inside leaves the streams as they were, so that evaluating never changes training."""
    state = streams_state()
    try:
        yield
    finally:
        set_streams(state)
