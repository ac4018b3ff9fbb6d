"""Sites and groups: one order, whatever order they come in."""

import random

import pytest

from tailorlm.adapters.sites import Site, group_sites, sort_sites


def site(module, layer, d_in=8, d_out=8, prefix="model.layers"):
    return Site(f"{prefix}.{layer}.attn.{module}", module, layer, d_in, d_out)


def test_order_never_depends_on_the_input_order():
    sites = [site(m, layer) for m in ("v_proj", "q_proj", "down") for layer in range(12)]
    expected = sort_sites(sites)
    for seed in range(5):
        shuffled = random.Random(seed).sample(sites, len(sites))
        assert sort_sites(shuffled) == expected
        assert group_sites(shuffled) == group_sites(sites)
    assert [s.layer for s in expected[:12]] == list(range(12))  # by number, not as text
    assert [s.module for s in expected[::12]] == ["down", "q_proj", "v_proj"]


def test_group_names_carry_the_shape_only_when_a_module_has_two():
    groups = group_sites([site("q", 0), site("o", 0, 8, 16), site("o", 1, 8, 32), site("q", 1)])
    assert [g.name for g in groups] == ["o.8x16", "o.8x32", "q"]
    assert [len(g.sites) for g in groups] == [1, 1, 2]


def test_two_sites_of_a_kind_in_one_layer_are_refused():
    with pytest.raises(ValueError, match="same module name, shape and layer"):
        sort_sites([site("q", 0), site("q", 0, prefix="vision.layers")])


def test_no_sites_are_refused():
    with pytest.raises(ValueError, match="no sites"):
        sort_sites([])
