"""Settings that would disable or spoil training are refused where they are written: name, value, what is valid."""

from dataclasses import replace
from math import inf, nan

import pytest

from tailorlm.adapters.lora import Settings as KindSettings
from tailorlm.assembly.recipes import read
from tailorlm.assembly.wanted import check_rows
from tailorlm.methods import mt_lora, p2p, text_to_lora
from tailorlm.methods.batches import BatchSettings
from tailorlm.methods.lora import LoraSettings
from tailorlm.methods.objectives import LossSettings
from tailorlm.methods.reconstruction import TargetSettings

SHARE, POSITIVE = r"valid is a share in \[0, 1\)", "valid is at least 0"


@pytest.mark.parametrize(
    ("name", "value", "valid"),
    [(name, value, SHARE) for name in ("dropout", "smoothing") for value in (-0.1, 1.0, 1.5, nan)]
    + [(name, value, POSITIVE) for name in ("l2", "neftune") for value in (-1.0, nan, inf)],
)
def test_losses(name, value, valid):
    with pytest.raises(ValueError, match=f"loss.{name} is {value}; {valid}"):
        LossSettings(**{name: value})
    assert getattr(LossSettings(**{name: 0.0}), name) == 0


@pytest.mark.parametrize(
    ("name", "value"), [("alpha", 0.0), ("alpha", -16.0), ("alpha", nan), ("alpha", inf), ("rank", 0), ("rank", -8)]
)
def test_lora(name, value):
    with pytest.raises(ValueError, match=f"lora.{name} is {value}; valid is a"):
        LoraSettings(**{name: value})
    with pytest.raises(ValueError, match=rf"{name} (is )?{value} \(valid: a"):
        KindSettings(**{name: value})


@pytest.mark.parametrize(("name", "value"), [("users", 0), ("rows", 0), ("rows", -1), ("tasks", 0), ("buckets", 0)])
def test_batches(name, value):
    with pytest.raises(ValueError, match=f"batch.{name} is {value}; valid is at least 1"):
        BatchSettings(**{name: value})
    assert BatchSettings(tasks=None).tasks is None


@pytest.mark.parametrize(("name", "value", "valid"), [("count", 0, 1), ("count", -1, 1), ("minimum", -1, 0)])
def test_cuts(name, value, valid):
    with pytest.raises(ValueError, match=f"cuts.{name} is {value}; valid is at least {valid}"):
        p2p.CutSettings(**{name: value})


@pytest.mark.parametrize("name", ["epochs", "batch"])
def test_targets(name):
    with pytest.raises(ValueError, match=f"targets.{name} is 0; valid is at least 1"):
        TargetSettings(**{name: 0})


@pytest.mark.parametrize("method", [p2p, text_to_lora])
@pytest.mark.parametrize(
    ("name", "value", "valid"),
    [
        ("latent", 0, "1 to 16,384"), ("latent", 6, "a multiple of 4"), ("latent", 1 << 15, "1 to 16,384"),
        ("head_in", 0, "1 to 65,536"), ("components", 0, "1 to 4,096"), ("components", -1, "1 to 4,096"),
        ("dropout", 1.0, SHARE[9:]), ("dropout", -0.1, SHARE[9:]), ("dropout", nan, SHARE[9:]),
    ],
)  # fmt: skip
def test_networks(method, name, value, valid):
    with pytest.raises(ValueError, match=f"net.{name} is {value}; valid is {valid}"):
        method.NetSettings(**{name: value})


def test_a_networks_queries():
    with pytest.raises(ValueError, match="net.queries is 0; valid is 1 to 1,024"):
        p2p.NetSettings(queries=0)


def test_a_loss_that_mt_lora_does_not_have():
    with pytest.raises(ValueError, match="loss.l2 is 5.0, and mt_lora has no such term: leave it out"):
        mt_lora.Settings(loss=LossSettings(l2=5.0))
    for l2 in (0.0, LossSettings().l2):
        mt_lora.Settings(loss=LossSettings(l2=l2))


@pytest.mark.parametrize("held", [False, True])
def test_cuts_that_no_user_has_say_so(bench, people, tmp_path, held):
    source = p2p.Source(bench, p2p.Settings(cuts=p2p.CutSettings(minimum=5)))
    short = [replace(people[1], history=people[1].history[:3])]
    train, kept = (people[:1], short) if held else (short, people[:1])
    with pytest.raises(ValueError, match="no item of 1 users makes a row to train on; cuts.minimum is 5"):
        source.prepare(train, tmp_path / "run", held=kept)


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("mt_lora.loss.dropout=1.0", "methods.mt_lora.loss.dropout is 1.0; valid is a share"),
        ("mt_lora.loss.l2=5.0", "methods.mt_lora: loss.l2 is 5.0, and mt_lora has no such term"),
        ("p2p.cuts.count=0", "methods.p2p.cuts.count is 0; valid is at least 1"),
        ("p2p.net.latent=6", "methods.p2p.net.latent is 6; valid is a multiple of 4"),
        ("per_pcs.sharers.lora.alpha=0", "methods.per_pcs.sharers.lora.alpha is 0.0; valid is above 0"),
        ("text_to_lora.targets.epochs=0", "methods.text_to_lora.targets.epochs is 0; valid is at least 1"),
        ("mt_lora.batch.users=0", "methods.mt_lora.batch.users is 0; valid is at least 1"),
    ],
)
def test_a_recipe_says_where(tmp_path, setting, said):
    path = tmp_path / "recipe.toml"
    path.write_text('[data]\ntrain = "a.jsonl"\n[base]\nname = "x"\n[eval]\nrows = ["per_pcs", "text_to_lora"]\n')
    with pytest.raises(ValueError) as caught:
        check_rows(read(path, overrides=[f"methods.{setting}"]))
    assert said in str(caught.value) and "\n" not in str(caught.value)
