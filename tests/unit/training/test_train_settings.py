"""Settings are checked when made; what a resumed run may change is told apart."""

from dataclasses import FrozenInstanceError
from typing import Any

import pytest

from tailorlm.training.settings import RESUME_MAY_CHANGE, TrainSettings, differences


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("steps", 0),
        ("accumulate", 0),
        ("keep", 0),
        ("learning_rate", 0.0),
        ("learning_rate", float("nan")),
        ("epsilon", 0.0),
        ("weight_decay", -1.0),
        ("clip", float("inf")),
        ("betas", (0.9,)),
        ("betas", (0.9, 1.0)),
        ("warmup", 1.0),
        ("decay", "sudden"),
        ("precision", "fp16"),
        ("tracker", "paper"),
        ("mode", "best"),
        ("max_seconds", 0.0),
        ("patience", 1),
        ("patience", -1),
        ("rates", {"heads": -1.0}),
        ("line_seconds", 0.0),
        ("evaluate_every", -1),
        ("save_every", -1),
        ("seed", -1),
    ],
)
def test_a_value_that_cannot_work_is_refused_by_name(name: str, value: Any) -> None:
    with pytest.raises(ValueError, match=rf"train\.{name} is .*; valid is "):
        TrainSettings(**{name: value})


def test_lists_of_a_recipe_become_tuples_and_nothing_changes_later() -> None:
    betas: Any = [0.9, 0.95]
    settings = TrainSettings(betas=betas)
    assert settings.betas == (0.9, 0.95)
    with pytest.raises(FrozenInstanceError):
        settings.steps = 3  # type: ignore[misc]


def test_every_setting_that_a_resumed_run_may_change_exists_and_others_differ() -> None:
    saved = TrainSettings().as_dict()
    assert saved.keys() >= RESUME_MAY_CHANGE
    assert differences(saved, TrainSettings(save_every=1, keep=9, max_seconds=3.0, tracker="wandb")) == []
    assert differences(saved, TrainSettings(clip=2.0)) == ["clip: saved 1.0, given 2.0"]
