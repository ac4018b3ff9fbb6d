"""Keeps other packages' noise out of the commands' standard error; `import tailorlm` changes none of this.

Knows nothing of commands. Our own warnings are not touched.
"""

import sys
import warnings

OTHERS = r"(transformers|peft|torch|accelerate|sentence_transformers|huggingface_hub)\b"


def hush() -> None:
    """Deprecations among other packages are their developers' business: a person cannot act on them."""
    for kind in (FutureWarning, DeprecationWarning, PendingDeprecationWarning):
        warnings.filterwarnings("ignore", category=kind, module=OTHERS)


def no_bars_of_loading() -> None:
    """Loading weights from a disk takes a moment and needs no bar; the hub's bars of downloads stay."""
    from huggingface_hub.utils.tqdm import are_progress_bars_disabled, enable_progress_bars
    from transformers.utils import logging

    off = are_progress_bars_disabled()
    logging.disable_progress_bar()  # turns the hub's off as well
    if not off and sys.stderr.isatty():
        enable_progress_bars()
