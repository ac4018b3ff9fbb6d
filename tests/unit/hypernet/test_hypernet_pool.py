"""Pools: masks, whitening that never amplifies noise, order of a set, empty sets."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tailorlm.hypernet.pool import Attention, Facets, Single
from tailorlm.hypernet.whitening import LIMIT, distinct, whiten


def data(users: int = 40, slots: int = 3, size: int = 12) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    vectors = torch.randn(users, slots, size, generator=generator)
    return vectors, torch.rand(users, slots, generator=generator) > 0.3


def facets(vectors: torch.Tensor, mask: torch.Tensor, components: int = 4) -> Facets:
    torch.manual_seed(0)
    pool = Facets(vectors.shape[2], vectors.shape[1], 8, components)
    pool.whitened.fit(vectors, mask)
    return pool


def attention(vectors: torch.Tensor, mask: torch.Tensor) -> Attention:
    torch.manual_seed(0)
    pool = Attention(vectors.shape[2], 8, 3, 6)
    pool.fit(vectors, mask)
    return pool


def test_single_is_a_linear_and_a_norm() -> None:
    pool, vectors = Single(6, 8), torch.randn(4, 1, 6)
    out = pool(vectors, torch.ones(4, 1, dtype=torch.bool))
    assert torch.equal(out, pool.norm(pool.linear(vectors[:, 0])))


def test_single_refuses_users_without_a_vector() -> None:
    mask = torch.tensor([[True], [False], [False]])
    with pytest.raises(ValueError, match=r"rows \[1, 2\]"):
        Single(6, 8)(torch.randn(3, 1, 6), mask)


def test_facets_need_a_fit() -> None:
    vectors, mask = data()
    with pytest.raises(RuntimeError, match="fit"):
        Facets(12, 3, 8, 4)(vectors, mask)


def test_whitened_coordinates_have_mean_zero_and_unit_covariance() -> None:
    vectors, mask = data(200)
    z = facets(vectors, mask).whitened(vectors, mask)
    for slot in range(3):
        seen = z[mask[:, slot], slot]
        assert torch.allclose(seen.mean(0), torch.zeros(4), atol=1e-5)
        assert torch.allclose(seen.T @ seen / len(seen), torch.eye(4), atol=1e-4)


def test_absent_slots_are_exact_zeros_and_ignore_what_lies_there() -> None:
    vectors, mask = data()
    pool = facets(vectors, mask)
    rubbish = torch.where(mask[..., None], vectors, torch.nan)
    assert not pool.whitened(rubbish, mask)[~mask].any()
    assert torch.equal(pool(rubbish, mask), pool(vectors, mask))


def test_an_absent_slot_differs_from_a_present_one() -> None:
    vectors, mask = data()
    pool, fewer = facets(vectors, mask), mask.clone()
    fewer[:, 0] = False
    changed = (pool(vectors, mask) - pool(vectors, fewer)).abs().amax(1)
    assert bool(((changed > 1e-3) == mask[:, 0]).all())


def test_constant_missing_and_two_valued_slots() -> None:
    vectors, mask = data()
    vectors[:, 0] = vectors[0, 0] + 1e-6 * torch.randn(40, 12)  # constant but for rounding
    vectors[:, 1] = vectors[:2, 1][torch.arange(40) % 2]
    mask[:, 2] = False
    mask[:, :2] = True
    pool = facets(vectors, mask)
    z = pool.whitened(vectors, torch.ones_like(mask))
    assert not z[:, 0].any() and not z[:, 2].any()
    assert torch.allclose(z[:, 1, 0].abs(), torch.ones(40), atol=1e-4)
    assert not z[:, 1, 1:].any()
    assert torch.isfinite(pool(vectors, mask)).all()


def test_one_user_and_no_user_fit() -> None:
    for users in (0, 1):
        vectors, mask = torch.randn(users, 2, 12), torch.ones(users, 2, dtype=torch.bool)
        pool = facets(vectors, mask)
        assert not pool.whitened.basis.any()
        assert torch.isfinite(pool(torch.randn(3, 2, 12), torch.ones(3, 2, dtype=torch.bool))).all()


def test_a_rare_value_is_no_far_outlier_and_an_odd_one_is_limited() -> None:
    vectors, mask = torch.ones(1000, 1, 12), torch.ones(1000, 1, dtype=torch.bool)
    vectors[:500, 0, 0] = -1
    vectors[999, 0, 1] = -1  # one user in a thousand
    pool = facets(vectors, mask)
    assert pool.whitened(vectors, mask).abs().max() < LIMIT
    assert pool.whitened(1000 * vectors, mask).abs().max() == LIMIT


def test_fit_does_not_depend_on_the_order_of_users() -> None:
    vectors, mask = data()
    order = torch.randperm(40)
    one, other = facets(vectors, mask), facets(vectors[order], mask[order])
    assert torch.allclose(one.whitened.basis, other.whitened.basis, atol=1e-4)
    assert torch.allclose(one.whitened.mean, other.whitened.mean, atol=1e-5)


def test_more_values_than_dimensions_and_fewer_agree_on_the_variance() -> None:
    for count in (6, 40):
        values = torch.randn(count, 12)
        mean, basis = whiten(values, 3)
        z = (values - mean) @ basis
        assert torch.allclose(z.T @ z / count, torch.eye(3), atol=1e-4)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(0, 4), min_size=1, max_size=30))
def test_distinct_counts_every_row(picks: list[int]) -> None:
    table = torch.randn(5, 7, generator=torch.Generator().manual_seed(1), dtype=torch.double)
    values, counts = distinct(table[picks])
    order = list(dict.fromkeys(picks))
    assert torch.equal(values, table[order])
    assert counts.tolist() == [picks.count(pick) for pick in order]


def test_attention_ignores_order_and_padding() -> None:
    vectors, mask = data(6, 5)
    pool = attention(vectors, mask)
    order = torch.randperm(5)
    assert torch.allclose(pool(vectors, mask), pool(vectors[:, order], mask[:, order]), atol=1e-5)
    padded = torch.cat([vectors, torch.full((6, 2, 12), torch.nan)], 1)
    wider = torch.cat([mask, torch.zeros(6, 2, dtype=torch.bool)], 1)
    assert torch.allclose(pool(vectors, mask), pool(padded, wider), atol=1e-5)


def test_attention_of_empty_sets_is_one_learned_code() -> None:
    vectors, mask = data(4, 5)
    pool = attention(vectors, mask)
    empty = pool(vectors, torch.zeros(4, 5, dtype=torch.bool))
    assert torch.allclose(empty, empty[:1].expand_as(empty))
    assert torch.allclose(empty[:1], pool(torch.zeros(1, 0, 12), torch.zeros(1, 0, dtype=torch.bool)), atol=1e-6)
    empty.square().sum().backward()
    assert pool.attend.neutral.grad is not None and torch.isfinite(pool.attend.neutral.grad).all()


def test_attention_reads_every_item() -> None:
    vectors, mask = data(4, 5)
    pool = attention(vectors, mask)
    mask[:] = True
    for item in range(5):
        fewer = mask.clone()
        fewer[:, item] = False
        assert (pool(vectors, mask) - pool(vectors, fewer)).abs().max() > 1e-4


def test_attention_needs_a_basis_and_reads_nothing_of_what_is_missing() -> None:
    vectors, mask = data(4, 5)
    with pytest.raises(RuntimeError, match="fit"):
        Attention(12, 8, 3, 6)(vectors, mask)
    pool, other = attention(vectors, mask), vectors.clone()
    other[~mask] = torch.nan
    again = attention(other, mask)
    assert torch.equal(again.attend.whitened.basis, pool.attend.whitened.basis)
    assert torch.equal(pool(other, mask), pool(vectors, mask))
