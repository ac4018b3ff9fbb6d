"""Loading shows no bars, and leaves what the caller has set."""

import warnings
from pathlib import Path

import pytest
from huggingface_hub.utils.tqdm import are_progress_bars_disabled
from transformers.utils import logging

from tailorlm.backbone.loading import without_bars
from tailorlm.backbone.model import Backbone


@pytest.fixture(params=[True, False], ids=["shown", "hidden"])
def shown(request: pytest.FixtureRequest) -> object:
    before = logging.is_progress_bar_enabled()
    (logging.enable_progress_bar if request.param else logging.disable_progress_bar)()
    yield request.param
    (logging.enable_progress_bar if before else logging.disable_progress_bar)()


def test_bars_are_as_they_were(shown: bool) -> None:
    hub = are_progress_bars_disabled()
    with pytest.raises(KeyError), without_bars():
        assert not logging.is_progress_bar_enabled() and are_progress_bars_disabled() == hub
        raise KeyError
    assert logging.is_progress_bar_enabled() == shown and are_progress_bars_disabled() == hub


def test_a_model_loads_in_silence(tiny_base: Path, capfd: pytest.CaptureFixture[str]) -> None:
    logging.enable_progress_bar()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Backbone.load(str(tiny_base), device="cpu")
    said = capfd.readouterr()
    assert said.out == said.err == ""
