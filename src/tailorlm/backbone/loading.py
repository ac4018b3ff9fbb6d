"""Models are loaded without bars: reading weights from a disk takes a moment; downloads keep theirs.

Knows nothing of models. What a caller has set is as it was afterwards.
"""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def without_bars() -> Iterator[None]:
    """No bars of transformers inside; the hub's stay as they are."""
    from huggingface_hub.utils.tqdm import are_progress_bars_disabled, disable_progress_bars, enable_progress_bars
    from transformers.utils import logging

    shown, hub_hidden = logging.is_progress_bar_enabled(), are_progress_bars_disabled()
    logging.disable_progress_bar()  # turns the hub's off as well
    if not hub_hidden:
        enable_progress_bars()
    try:
        yield
    finally:
        if shown:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # the hub's, where the environment has them off for good
                logging.enable_progress_bar()
        if hub_hidden:
            disable_progress_bars()
