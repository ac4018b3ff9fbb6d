"""AdamW's groups: names, rates, and what is refused."""

import pytest
import torch
from torch.nn import Parameter

from tailorlm.training.optimiser import make_optimiser, set_rate
from tailorlm.training.settings import TrainSettings


def parameters() -> list[Parameter]:
    return [Parameter(torch.ones(2)) for _ in range(4)]


def test_groups_come_in_order_of_names_after_the_rest_and_keep_their_ratio() -> None:
    every = parameters()
    settings = TrainSettings(learning_rate=1e-3, rates={"heads": 1e-2})
    optimiser = make_optimiser(every, {"trunk": every[2:3], "heads": every[:1]}, settings)
    set_rate(optimiser, 0.5)
    groups = [(g["name"], g["lr"], len(g["params"])) for g in optimiser.param_groups]
    assert groups == [("", 5e-4, 2), ("heads", 5e-3, 1), ("trunk", 5e-4, 1)]


def test_frozen_parameters_are_left_out() -> None:
    every = parameters()
    every[0].requires_grad_(False)
    assert len(make_optimiser(every, {}, TrainSettings()).param_groups[0]["params"]) == 3


def test_what_does_not_fit_is_refused() -> None:
    every, settings = parameters(), TrainSettings(rates={"heads": 1e-2})
    with pytest.raises(ValueError, match=r"names \['heads'\]; the parameter groups are \['trunk'\]"):
        make_optimiser(every, {"trunk": every[:1]}, settings)
    with pytest.raises(ValueError, match="1 are not the objective's, 0 are in two"):
        make_optimiser(every, {"heads": parameters()[:1]}, settings)
    with pytest.raises(ValueError, match="0 are not the objective's, 1 are in two"):
        make_optimiser(every, {"heads": every[:1], "trunk": every[:2]}, settings)
    with pytest.raises(ValueError, match="nothing can be trained"):
        make_optimiser([], {}, TrainSettings())
