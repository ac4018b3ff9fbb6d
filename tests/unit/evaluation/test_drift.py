"""Drift: zero for equal logits, by hand on two tokens, masked, and over batches."""

import math

import pytest
import torch

from tailorlm.evaluation.drift import drift, mean_kl, token_kl


def test_equal_logits_have_no_drift_even_when_shifted() -> None:
    logits = torch.randn(2, 3, 7)
    assert mean_kl(logits, logits + 5.0, torch.ones(2, 3)) == pytest.approx(0.0, abs=1e-6)


def test_by_hand() -> None:
    base, adapted = torch.tensor([[0.5, 0.5]]).log(), torch.tensor([[0.9, 0.1]]).log()
    expected = 0.5 * math.log(0.5 / 0.9) + 0.5 * math.log(0.5 / 0.1)
    assert token_kl(base, adapted).item() == pytest.approx(expected, rel=1e-5)


def test_masked_tokens_do_not_count() -> None:
    base, adapted = torch.randn(1, 2, 5), torch.randn(1, 2, 5)
    alone = mean_kl(base[:, :1], adapted[:, :1], torch.ones(1, 1))
    adapted[:, 1] = float("nan")
    assert mean_kl(base, adapted, torch.tensor([[1, 0]])) == pytest.approx(alone)


def test_batches_weigh_by_their_tokens() -> None:
    base, adapted = torch.randn(3, 2, 5), torch.randn(3, 2, 5)
    mask = torch.tensor([[1, 1], [1, 0], [0, 1]])
    whole = mean_kl(base, adapted, mask)
    parts = [slice(0, 1), slice(1, 3)]
    found = drift(parts, base.__getitem__, adapted.__getitem__, mask.__getitem__)
    assert found == pytest.approx(whole)


def test_half_precision_is_compared_in_float32() -> None:
    base, adapted = torch.randn(4, 6).bfloat16(), torch.randn(4, 6).bfloat16()
    assert torch.equal(token_kl(base, adapted), token_kl(base.float(), adapted.float()))


def test_refusals() -> None:
    with pytest.raises(ValueError, match=r"shape \(1, 3\): expected the base's \(1, 2\)"):
        token_kl(torch.zeros(1, 2), torch.zeros(1, 3))
    with pytest.raises(ValueError, match="no token"):
        mean_kl(torch.zeros(1, 1, 2), torch.zeros(1, 1, 2), torch.zeros(1, 1))
    with pytest.raises(ValueError, match="no token"):
        drift([], lambda b: b, lambda b: b, lambda b: b)
