"""What users' stored parameters were made for: the base, the places and scales that they act by, what stands under.

Parameters mean nothing elsewhere, and nothing would show it: shapes fit. Knows nothing of methods or of users.
Source: issue 3 (a stored state goes on); Text-to-LoRA's and P2P's checkpoints name their base in the same way.
"""

from collections.abc import Mapping
from typing import Any

import torch

from tailorlm.adapters.lora import LoraSpace
from tailorlm.adapters.space import AdapterSpace
from tailorlm.backbone.fingerprint import fingerprint
from tailorlm.backbone.model import Backbone
from tailorlm.methods.side_by_side import digest
from tailorlm.methods.source import Start

ANY = ""
"""The base in float16, whose numbers are rounded otherwise: it is not compared."""


def base(backbone: Backbone) -> str:
    """The base's weights, by digest."""
    return ANY if backbone.dtype == torch.float16 else fingerprint(backbone)


def beneath(start: Start | None) -> str:
    """What the users' own stand on: that of all by digest; who has a start of each one's own keeps it."""
    if start is None:
        return "none"
    return "a start of each one's own" if start.shared is None else f"one for all, {digest(start.shared)[:32]}"


def training(backbone: Backbone, start: Start | None, *rows: Any) -> dict[str, str]:
    """What a training goes on with and nothing else (`about` of training/loop.py): the base, the start, the rows."""
    return {"base": base(backbone), "start": beneath(start), "training set": digest(*rows)[:32]}


def said(space: AdapterSpace, scaling: float | None = None) -> str:
    """A space in words, with the scale that acts in training."""
    rank = f" of rank {space.rank}" if isinstance(space, LoraSpace) else ""
    scale = "" if scaling is None else f", scale {scaling:g}"
    return f"{space.kind}{rank} at {sorted({site.module for site in space.sites})} ({len(space.sites)} layers){scale}"


def check(kept: Mapping[str, str], now: Mapping[str, str]) -> None:
    """ValueError, with expected and found, unless parameters that were `kept` for one thing are used for the same."""
    for name in sorted(kept.keys() | now.keys()):
        expected, found = kept.get(name, "none"), now.get(name, "none")
        if expected != found and ANY not in (expected, found):
            raise ValueError(
                f"these users' parameters were kept for another {name}: expected {expected}, found {found}; "
                "take the one that they were trained with, or enrol the users anew"
            )
