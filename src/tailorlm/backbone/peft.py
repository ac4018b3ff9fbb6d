"""Reads a PEFT folder of any kind for a backbone.

Knows nothing of kinds: a folder says its type, and the file of that name in `adapters/` (or somebody else's plugin)
reads it. Folders are untrusted. Source: reference section 5.
"""

from pathlib import Path

from tailorlm import plugins
from tailorlm.adapters.batch import Adapters
from tailorlm.adapters.peft_config import PeftFileError, read_config
from tailorlm.adapters.peft_files import load_kind
from tailorlm.backbone.model import Backbone


def load_adapter(directory: str | Path, backbone: Backbone) -> Adapters:
    """The adapter in `directory` as one of U = 1 on the backbone's device, float32, its scale folded in.

    PeftFileError on a kind that is not known, on layers or sizes that the backbone has otherwise, and on what the
    kind cannot express; BadAdapters on NaN or Inf. That the base is the one it was made for, only its maker knows.
    """
    config = read_config(directory)
    known = plugins.names("adapters")
    if config.kind not in known:
        there = ", ".join(name.upper() for name in known)
        raise PeftFileError(f"{config.path}: peft_type {config.kind.upper()} is not known; there are {there}")
    return load_kind(config, plugins.find("adapters", config.kind), backbone.shape).to(backbone.device)
