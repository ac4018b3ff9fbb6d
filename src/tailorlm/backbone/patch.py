"""Replaces a module's `forward` for a while; the module is shared, so it always gets its own back.

Knows nothing of what the replacement does.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

_OWN = "_tailorlm_own_forward"


def replace_forward(module: Any, forward: Callable[..., Any]) -> None:
    """From now on, calling `module` runs `forward`. Raises RuntimeError if it is replaced already."""
    if _OWN in vars(module):
        raise RuntimeError(f"forward of {type(module).__name__} is replaced already; nested use is an error")
    # A forward of the instance is somebody else's replacement (accelerate's hooks): it comes back, too.
    setattr(module, _OWN, vars(module).get("forward"))
    module.forward = forward


def restore_forward(module: Any) -> None:
    """The module as it was before `replace_forward`."""
    own = vars(module).pop(_OWN)
    if own is None:
        del module.forward
    else:
        module.forward = own


@contextmanager
def replaced_forward(module: Any, forward: Callable[..., Any]) -> Iterator[None]:
    """`replace_forward` for the length of a block."""
    replace_forward(module, forward)
    try:
        yield
    finally:
        restore_forward(module)
