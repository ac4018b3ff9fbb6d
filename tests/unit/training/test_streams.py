"""Keyed random numbers: uniform, the same for a key wherever it stands, different between keys."""

import torch

from tailorlm.training.streams import key_of, subkeys, uniforms


def test_a_key_gives_the_same_numbers_in_any_company() -> None:
    keys = torch.tensor([key_of(0, name) for name in "abcdef"])
    together = uniforms(keys, (3, 5))
    for i in range(6):
        assert torch.equal(uniforms(keys[i : i + 1], (3, 5))[0], together[i])


def test_numbers_are_uniform_and_streams_are_independent() -> None:
    keys = torch.tensor([key_of(1, n) for n in range(40)])
    drawn = uniforms(keys, (5000,))
    assert drawn.min() >= 0 and drawn.max() < 1
    counts = torch.histc(drawn, 20, 0, 1)
    expected = drawn.numel() / 20
    assert ((counts - expected).square() / expected).sum() < 50  # chi-square of 19: 0.9999 below 49.4
    assert torch.corrcoef(drawn).fill_diagonal_(0).abs().max() < 0.07


def test_steps_and_places_give_new_streams() -> None:
    key = torch.tensor(key_of(0, "a"))
    keys = subkeys(subkeys(key, torch.arange(100))[:, None], torch.arange(50)[None]).flatten()
    assert len(set(keys.tolist())) == 5000
    assert torch.corrcoef(uniforms(keys[:40], (3000,))).fill_diagonal_(0).abs().max() < 0.09


def test_keys_are_fixed_numbers() -> None:
    """They are in people's results: a change would change every trained user."""
    assert key_of(0, "ada") == key_of(0, "ada") != key_of(1, "ada")
    published = [0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4, 0x06C45D188009454F]  # splitmix64 from seed 0
    assert uniforms(torch.tensor([0]), (3,))[0].tolist() == [(bits >> 40) * 2**-24 for bits in published]
