"""Replaces a module's `forward` for the length of a block; the module is shared, so it is always put back.

Knows nothing of what the replacement does.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def replaced_forward(module: Any, forward: Callable[..., Any]) -> Iterator[None]:
    """Inside the block, calling `module` runs `forward`. Raises RuntimeError if it is replaced already."""
    if "forward" in vars(module):
        raise RuntimeError(f"forward of {type(module).__name__} is replaced already; nested use is an error")
    module.forward = forward
    try:
        yield
    finally:
        del module.forward
