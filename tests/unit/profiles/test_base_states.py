"""A causal LM's own states as vectors: pooling, padding, limits."""

import pytest
import torch
from transformers import Qwen2Config, Qwen2Model

from tailorlm.profiles.base_states import BaseStatesEncoder, last_state, mean_state
from tailorlm.profiles.encode import unit_scale


class Letters:
    """A tokenizer of letters."""

    def __call__(self, text, truncation, verbose):
        assert truncation is False
        return type("Encoding", (), {"input_ids": [ord(letter) % 50 for letter in text]})()


class Causal:
    """What of a Hugging Face causal LM is used."""

    def __init__(self):
        torch.manual_seed(0)
        self.config = Qwen2Config(
            vocab_size=50, hidden_size=16, intermediate_size=16, num_hidden_layers=2,
            num_attention_heads=2, num_key_value_heads=1, max_position_embeddings=32,
        )  # fmt: skip
        self.base_model = Qwen2Model(self.config).eval()
        self.device = torch.device("cpu")


@pytest.fixture(scope="module")
def model():
    return Causal()


@pytest.mark.parametrize("pooling", ["mean", "last"])
def test_a_batch_equals_texts_alone(model, pooling):
    encoder = BaseStatesEncoder.of_model(model, Letters(), "tiny", pooling=pooling, batch_size=2)
    texts = ["a longer text", "b", "some words", "c d"]
    vectors = encoder(texts)
    assert torch.allclose(vectors, torch.cat([encoder([text]) for text in texts]), atol=1e-5)
    ids = torch.tensor([[ord(letter) % 50 for letter in texts[2]]])
    with torch.no_grad():
        states = model.base_model(ids).last_hidden_state
    expected = states.mean(1) if pooling == "mean" else states[:, -1]
    assert torch.allclose(vectors[2:3], unit_scale(expected), atol=1e-5)
    assert encoder.size == 16 and encoder.id == f"tiny#states-{pooling}-32"


def test_long_and_empty_texts_are_reported(model):
    encoder = BaseStatesEncoder.of_model(model, Letters(), "tiny", limit=8)
    with pytest.raises(ValueError, match="text 1 has 9 tokens"):
        encoder(["ok", "x" * 9])
    with pytest.raises(ValueError, match="text 0 has no tokens"):
        encoder([""])
    cutting = BaseStatesEncoder.of_model(model, Letters(), "tiny", limit=8, on_long="truncate")
    assert torch.allclose(cutting(["x" * 9]), cutting(["x" * 8])) and cutting.truncated == 1


def test_pooling_ignores_padding():
    states = torch.tensor([[[1.0], [3.0], [99.0]], [[2.0], [4.0], [6.0]]])
    mask = torch.tensor([[1, 1, 0], [1, 1, 1]])
    assert mean_state(states, mask).flatten().tolist() == [2.0, 4.0]
    assert last_state(states, mask).flatten().tolist() == [3.0, 6.0]
