"""The hypernetwork as a whole: neutral start, gradients, shapes, options, all users in one pass."""

from typing import Any

import pytest
import torch

from tailorlm.adapters.batch import Adapters
from tailorlm.adapters.lora import LoraSpace
from tailorlm.adapters.sites import Site
from tailorlm.hypernet.heads import Factor
from tailorlm.hypernet.network import Hypernet

HEADS, BIASES = ["L", "M", "S"], ["shared", "layer"]
SPACE = LoraSpace(
    tuple(
        Site(f"model.layers.{layer}.{module}", module, layer, i, o)
        for layer in range(3)
        for module, i, o in (("q_proj", 8, 8), ("v_proj", 8, 4), ("up_proj", 8, 20))
    ),
    rank=2,
)


def build(seed: int = 0, space: LoraSpace = SPACE, **settings: Any) -> Hypernet:
    torch.manual_seed(seed)
    return Hypernet(space, 6, **{"scaling": 5.66, "latent": 16, "head_in": 12, "dropout": 0.0, **settings})


def users(count: int = 4, slots: int = 1) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.randn(count, slots, 6), torch.ones(count, slots, dtype=torch.bool)


def trained(**settings: Any) -> Hypernet:
    """A network whose every parameter is random, so that nothing is zero by luck."""
    net = build(**settings)
    with torch.no_grad():
        for value in net.parameters():
            value.add_(0.1 * torch.randn_like(value))
    return net.eval()


def lora(seed: int = 1) -> Adapters:
    torch.manual_seed(seed)
    return Adapters(SPACE, {name: torch.randn(1, *shape) for name, shape in SPACE.shapes().items()})


def loss(adapters: Adapters) -> torch.Tensor:
    """Something that reads every delta W."""
    pairs = [(adapters.tensors[f"{g.name}.B"], adapters.tensors[f"{g.name}.A"]) for g in adapters.space.groups]
    return torch.stack([((b @ a) - 1).square().mean() for b, a in pairs]).sum()


@pytest.mark.parametrize("bias", BIASES)
@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("unit_norm", [False, True])
def test_start_is_exactly_neutral(head: str, bias: str, unit_norm: bool) -> None:
    adapters = build(head=head, bias=bias, unit_norm=unit_norm)(*users())
    for name, tensor in adapters.tensors.items():
        if name.endswith(".B"):
            assert not tensor.any()
        else:
            assert 0 < float(tensor.detach().abs().max()) <= 1 / tensor.shape[-1] ** 0.5  # PEFT's Kaiming bound


@pytest.mark.parametrize("unit_norm", [False, True])
@pytest.mark.parametrize("head", HEADS)
def test_gradients_reach_the_head_at_step_1_and_the_trunk_at_step_2(head: str, unit_norm: bool) -> None:
    net, batch = build(head=head, unit_norm=unit_norm), users()
    optimiser = torch.optim.SGD(net.parameters(), lr=0.1)
    loss(net(*batch)).backward()
    heads = [h.weight_b if head == "L" else h.weight for h in net.heads]
    assert all(weight.grad.abs().max() > 0 for weight in heads)
    assert not net.trunk.mixer.body.up.weight.grad.any()
    optimiser.step()
    optimiser.zero_grad()
    loss(net(*batch)).backward()
    for module in (net.trunk, net.pool, *([net.parts] if net.parts else [])):
        for name, value in module.named_parameters():
            assert value.grad.abs().max() > 0, name


@pytest.mark.parametrize("bias", BIASES)
@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("unit_norm", [False, True])
def test_alone_equals_in_company_and_order_of_users_is_kept(head: str, bias: str, unit_norm: bool) -> None:
    net, (vectors, mask) = trained(head=head, bias=bias, unit_norm=unit_norm), users(5)
    order = torch.tensor([3, 0, 4, 1, 2])
    with torch.no_grad():
        together, permuted = net(vectors, mask), net(vectors[order], mask[order])
        for i in range(5):
            alone = net(vectors[i : i + 1], mask[i : i + 1])
            for name, tensor in together.tensors.items():
                assert torch.allclose(tensor[i], alone.tensors[name][0], atol=1e-5)
    for name, tensor in together.tensors.items():
        assert torch.allclose(tensor[order], permuted.tensors[name], atol=1e-5)
        assert (tensor[0] - tensor[1]).abs().max() > 1e-3


def test_changing_a_user_leaves_the_others_bit_identical() -> None:
    net, (vectors, mask) = trained(), users(5)
    changed = vectors.clone()
    changed[2] += 1
    with torch.no_grad():
        before, after = net(vectors, mask), net(changed, mask)
    for name, tensor in before.tensors.items():
        assert all(torch.equal(tensor[i], after.tensors[name][i]) for i in (0, 1, 3, 4))
        assert not torch.equal(tensor[2], after.tensors[name][2])


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("bias", BIASES)
def test_scaling_is_folded_into_b_only(head: str, bias: str) -> None:
    plain, scaled, batch = (
        trained(head=head, bias=bias, scaling=1.0),
        trained(head=head, bias=bias, scaling=3.0),
        users(),
    )
    with torch.no_grad():
        one, three = plain(*batch), scaled(*batch)
    for name in one.tensors:
        factor = 3.0 if name.endswith(".B") else 1.0
        assert torch.allclose(one.tensors[name] * factor, three.tensors[name], atol=1e-5)


def test_published_layout_of_the_head() -> None:
    """A is the first r*d_in outputs, row-major; the rest is (r, d_out), transposed into B."""
    net = trained(scaling=2.0)
    x, head, group = torch.randn(3, 1, 4, 12), net.heads[0], SPACE.groups[0]
    weight = torch.cat([head.weight_a, head.weight_b])
    bias = torch.cat([head.factors.a.bias.flatten(), head.factors.b.bias.flatten()])
    out = x[:, 0] @ weight.T + bias
    a, b = head(x)
    assert torch.allclose(a, out[..., : 2 * group.d_in].view(3, 4, 2, group.d_in), atol=1e-5)
    assert torch.allclose(b, 2.0 * out[..., 2 * group.d_in :].view(3, 4, 2, group.d_out), atol=1e-5)


def test_fused_and_finished_projections_agree() -> None:
    factor = Factor(1, 2, 8, 5.66, gain=False)
    factor.draw()
    x, weight = torch.randn(3, 4, 12), torch.randn(16, 12)
    raw = (x @ weight.T).view(3, 4, 2, 8)
    assert torch.allclose(factor.project(x, weight), factor.finish(raw), atol=1e-5)


def test_module_index_is_the_sorted_group_whatever_the_order_of_sites() -> None:
    shuffled = LoraSpace(tuple(reversed(SPACE.sites)), 2)
    one, other, batch = trained(), trained(space=shuffled), users()
    other.load_state_dict(one.state_dict())
    with torch.no_grad():
        for name, tensor in one(*batch).tensors.items():
            assert torch.equal(tensor, other(*batch).tensors[name])
    assert one.trunk.module_index.tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2]


def test_one_module_of_two_shapes_and_missing_layers() -> None:
    sites = [Site(f"l.{i}.o_proj", "o_proj", i, 4 + 4 * (i % 2), 6) for i in (1, 2, 5)]
    net = trained(space=LoraSpace(tuple(sites), 2))
    adapters = net(*users())
    assert {n: tuple(t.shape) for n, t in adapters.tensors.items()} == {
        "o_proj.4x6.A": (4, 1, 2, 4), "o_proj.4x6.B": (4, 1, 6, 2),
        "o_proj.8x6.A": (4, 2, 2, 8), "o_proj.8x6.B": (4, 2, 6, 2),
    }  # fmt: skip


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("unit_norm", [False, True])
def test_set_bias_starts_at_the_given_lora(head: str, unit_norm: bool) -> None:
    net, given = build(head=head, bias="layer", unit_norm=unit_norm), lora()
    net.set_bias(given)
    for name, tensor in net(*users(3)).tensors.items():
        assert torch.allclose(tensor, given.tensors[name].expand_as(tensor), rtol=1e-6)


def test_set_bias_refuses_what_it_cannot_hold() -> None:
    with pytest.raises(ValueError, match=r"differs from layer to layer.*bias='layer'"):
        build().set_bias(lora())
    two = Adapters.cat([lora(1), lora(2)])
    with pytest.raises(ValueError, match="needs 1 adapter"):
        build(bias="layer").set_bias(two)
    other = LoraSpace(SPACE.sites, 3)
    fresh = Adapters(other, {name: torch.zeros(1, *shape) for name, shape in other.shapes().items()})
    with pytest.raises(ValueError, match="needs 1 adapter"):
        build(bias="layer").set_bias(fresh)


def test_set_bias_of_equal_layers_fits_a_shared_bias() -> None:
    given = lora()
    equal = Adapters(SPACE, {name: t[:, :1].expand_as(t) for name, t in given.tensors.items()})
    net = build()
    net.set_bias(equal)
    for name, tensor in net(*users(1)).tensors.items():
        assert torch.allclose(tensor, equal.tensors[name], rtol=1e-6)


def test_unit_norm_makes_heads_blind_to_the_size_of_their_input() -> None:
    net = trained(unit_norm=True)
    small = trained(unit_norm=True)
    hooked: list[torch.Tensor] = []
    small.trunk.register_forward_hook(lambda _m, _i, out: 100 * out)
    small.heads[0].register_forward_pre_hook(lambda _m, inputs: hooked.append(inputs[0]))
    batch = users()
    with torch.no_grad():
        one, other = net(*batch), small(*batch)
    for name, tensor in one.tensors.items():
        assert torch.allclose(tensor, other.tensors[name], rtol=5e-3, atol=1e-3)
    assert torch.allclose(hooked[0].square().mean(-1), torch.ones(1), atol=1e-3)


def test_l2_is_before_scaling() -> None:
    net = trained(scaling=4.0)
    adapters = net(*users())
    a = torch.cat([t.flatten() for n, t in adapters.tensors.items() if n.endswith("A")])
    b = torch.cat([t.flatten() for n, t in adapters.tensors.items() if n.endswith("B")])
    assert torch.allclose(net.l2(adapters).mean(), a.square().mean() + (b / 4).square().mean(), rtol=1e-5)
    assert torch.allclose(net.l2(adapters[1]), net.l2(adapters)[1:2])
    net.l2(adapters).sum().backward()


def test_autocast_gives_float32_adapters() -> None:
    for settings in ({}, {"head": "S"}, {"bias": "layer"}, {"unit_norm": True}):
        net = trained(**settings)
        batch = users()
        with torch.autocast("cpu", torch.bfloat16):
            adapters = net(*batch)
        expected = net(*batch)
        for name, tensor in adapters.tensors.items():
            assert tensor.dtype == torch.float32
            wanted = expected.tensors[name]
            assert (tensor - wanted).abs().max() < 0.05 * wanted.abs().max()


def test_wrong_input_is_named() -> None:
    net = build(pool="facets", slots=3)
    with pytest.raises(ValueError, match=r"vectors must be \(U, 3, 6\), got \(4, 2, 6\)"):
        net(*users(4, 2))
    vectors, mask = users(4, 3)
    with pytest.raises(ValueError, match="mask must be bool"):
        net(vectors, mask.float())
    with pytest.raises(ValueError, match=r"vectors must be \(U, 3, 6\)"):
        net.fit(vectors[..., :5], mask)


@pytest.mark.parametrize(
    ("setting", "value"),
    [("pool", "mean"), ("head", "XL"), ("bias", None), ("scaling", 0.0), ("scaling", float("nan")),
     ("scaling", "2"), ("dropout", 1.0), ("latent", 18), ("latent", True), ("head_in", 0), ("slots", 2),
     ("unit_norm", 1), ("queries", 1.5)],
)  # fmt: skip
def test_wrong_setting_is_named(setting: str, value: object) -> None:
    with pytest.raises(ValueError, match=f"{setting} is"):
        build(**{setting: value})
