"""AdamW over an objective's parameters, with named groups that have their own learning rate.

Knows nothing of schedules or of what the parameters are for. Source: reference section 1 (AdamW, clip 1.0).
"""

from collections.abc import Iterable, Mapping

import torch
from torch.nn import Parameter

from tailorlm.training.settings import TrainSettings

FUSED_DEVICES = frozenset({"cpu", "cuda"})


def make_optimiser(
    parameters: Iterable[Parameter], groups: Mapping[str, Iterable[Parameter]], settings: TrainSettings
) -> torch.optim.AdamW:
    """AdamW, fused where torch has it; group by group in `groups`' order of names, the rest first.

    Each group remembers its full rate as "rate". Raises ValueError for a rate without a group, a parameter
    that is not the objective's, or one that is in two groups.
    """
    every = [p for p in parameters if p.requires_grad]
    named = {name: list(groups[name]) for name in sorted(groups)}
    _check(every, named, settings)
    taken = {id(p) for members in named.values() for p in members}
    parts = [("", [p for p in every if id(p) not in taken]), *named.items()]
    return torch.optim.AdamW(
        [
            {"params": members, "rate": settings.rates.get(name, settings.learning_rate), "name": name}
            for name, members in parts
            if members
        ],
        lr=settings.learning_rate,
        betas=settings.betas,
        eps=settings.epsilon,
        weight_decay=settings.weight_decay,
        fused={p.device.type for p in every} <= FUSED_DEVICES,
    )


def set_rate(optimiser: torch.optim.Optimizer, factor: float) -> None:
    """Give every group its full rate times `factor`."""
    for group in optimiser.param_groups:
        group["lr"] = group["rate"] * factor


def _check(every: list[Parameter], named: Mapping[str, list[Parameter]], settings: TrainSettings) -> None:
    if not every:
        raise ValueError("the objective has no parameter that requires a gradient; nothing can be trained")
    missing = sorted(settings.rates.keys() - named.keys())
    if missing:
        raise ValueError(f"train.rates names {missing}; the parameter groups are {sorted(named)}")
    members = [id(p) for group in named.values() for p in group]
    strangers = len(set(members) - {id(p) for p in every})
    twice = len(members) - len(set(members))
    if strangers or twice:
        raise ValueError(
            f"parameter groups {sorted(named)} must be separate trainable parameters: "
            f"{strangers} are not the objective's, {twice} are in two groups"
        )
