"""Both networks generate every kind of adapter that is found: start, gradients, users, checkpoints."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from tailorlm import plugins
from tailorlm.adapters.batch import Adapters
from tailorlm.adapters.shape import Shape
from tailorlm.adapters.sites import Site
from tailorlm.adapters.stack import stack
from tailorlm.hypernet.checkpoint import check, from_pretrained, save_pretrained
from tailorlm.hypernet.config import BadCheckpoint, Meta
from tailorlm.hypernet.kinds import Network, make

KINDS = plugins.names("adapters")
OTHERS = tuple(kind for kind in KINDS if kind != "lora")
NETWORKS = ("published", "unit_norm", "additive")
SITES = {
    name: tuple(Site(f"model.layers.{n}.{name}", name, n, i, o) for n in range(3))
    for name, i, o in (("q_proj", 8, 8), ("k_proj", 8, 4), ("v_proj", 8, 4), ("down_proj", 12, 8))
}
SHAPE = Shape(lambda names: tuple(s for n in names for s in SITES[n]), 8, 3, 2, 2, 50, lambda ids: ids)
FACETS = ("a", "b", "c")


def space_of(kind: str) -> Any:
    plugin = plugins.find("adapters", kind)
    return plugin.space(plugin.Settings(), SHAPE)


def build(kind: str, network: str, seed: int = 0, **changes: Any) -> Network:
    settings = {"encoder_size": 6, "scaling": 0.5, "head": "L", "pool": "facets", "slots": 3, "components": 2}
    if network == "additive":
        settings["head"] = "additive"
    else:
        more = {"latent": 16, "head_in": 12, "bias": "layer", "dropout": 0.0, "queries": 2}
        settings |= more | {"unit_norm": network == "unit_norm"}
    torch.manual_seed(seed)
    net = make(space_of(kind), {**settings, **changes})
    net.fit(torch.randn(20, 3, 6), torch.ones(20, 3, dtype=torch.bool))
    return net


def trained(kind: str, network: str) -> Network:
    net = build(kind, network)
    with torch.no_grad():
        for value in net.parameters():
            value.add_(0.1 * torch.randn_like(value))
    return net.eval()


def people(count: int = 4) -> tuple[torch.Tensor, torch.Tensor]:
    g = torch.Generator().manual_seed(9)
    mask = torch.ones(count, 3, dtype=torch.bool)
    mask[0, 1] = False
    return torch.randn(count, 3, 6, generator=g), mask


def loss(adapters: Adapters) -> torch.Tensor:
    """Something that reads every number, and delta W of LoRA alone."""
    if adapters.space.kind == "lora":
        groups = [(adapters.tensors[f"{g.name}.B"], adapters.tensors[f"{g.name}.A"]) for g in adapters.space.groups]
        return torch.stack([(b @ a - 1).square().mean() for b, a in groups]).sum()
    return torch.stack([(t - 2).square().mean() for t in adapters.tensors.values()]).sum()


pytestmark = pytest.mark.parametrize(("kind", "network"), [(k, n) for k in KINDS for n in NETWORKS])


def test_the_start_is_one_fresh_adapter_for_everybody(kind: str, network: str) -> None:
    adapters = build(kind, network)(*people())
    space = adapters.space
    for name, tensor in adapters.tensors.items():
        assert torch.equal(tensor, tensor[:1].expand_as(tensor))
        if kind == "ia3" or name.endswith(".B"):
            assert torch.equal(tensor, torch.full_like(tensor, float(kind == "ia3")))  # the base model, exactly
        elif not space.neutral_start:
            places = tensor[0].flatten(0, -2)
            assert places.std() > 0.5 and not torch.equal(
                places[0], places[1]
            )  # PEFT's: standard normal, all different


def test_heads_learn_at_the_first_step_and_the_trunk_from_the_second(kind: str, network: str) -> None:
    net = build(kind, network)
    optimiser = torch.optim.SGD(net.parameters(), lr=0.1)
    loss(net(*people())).backward()
    weights = [p for n, p in net.named_parameters() if n.startswith("heads.") and n.endswith(("weight", "weight_b"))]
    assert weights and all(p.grad is not None and p.grad.abs().max() > 0 for p in weights)
    optimiser.step()
    optimiser.zero_grad()
    loss(net(*people())).backward()
    for name, parameter in net.named_parameters():
        if name.startswith("heads.") and kind == "lora":
            continue  # A's turn comes when B is no longer zero
        assert parameter.grad is not None and parameter.grad.abs().max() > 0, name


def test_users_get_their_own_in_any_order_and_alone(kind: str, network: str) -> None:
    net = trained(kind, network)
    vectors, mask = people()
    with torch.no_grad():
        company = net(vectors, mask).detach()
        order = torch.tensor([2, 0, 3, 1])
        mixed = net(vectors[order], mask[order])
        alone = net(vectors[1:2], mask[1:2])
    apart = [max(float((t[i] - t[j]).abs().max()) for t in company.tensors.values()) for i, j in ((0, 1), (1, 2))]
    assert min(apart) > 1e-3
    for name, tensor in company.tensors.items():
        torch.testing.assert_close(mixed.tensors[name], tensor[order], rtol=0, atol=1e-5)
        torch.testing.assert_close(alone.tensors[name][0], tensor[1], rtol=0, atol=1e-5)


def test_a_checkpoint_gives_the_same_adapters(tmp_path: Path, kind: str, network: str) -> None:
    net = trained(kind, network)
    meta = Meta.of(net, base_id="base", base_revision=None, encoder_id="enc", template="t", facets=FACETS)
    save_pretrained(tmp_path, net, meta)
    again, read = from_pretrained(tmp_path)
    assert read == meta and again.settings == net.settings and again.space == net.space
    assert json.loads((tmp_path / "config.json").read_text())["adapter"]["kind"] == kind
    with torch.no_grad():
        first, second = net(*people()), again(*people())
    assert all(torch.equal(t, second.tensors[name]) for name, t in first.tensors.items())
    other = stack(net.space, space_of("ia3"))
    with pytest.raises(BadCheckpoint, match="space: expected"):
        check(read, space=other)


def test_one_adapter_can_be_the_start(kind: str, network: str) -> None:
    net = build(kind, network)
    g = torch.Generator().manual_seed(1)
    one = Adapters(net.space, {k: torch.randn(1, *s, generator=g) for k, s in net.space.shapes().items()})
    net.set_bias(one)
    made = net(*people())
    for name, tensor in made.tensors.items():
        torch.testing.assert_close(tensor, one.tensors[name].expand_as(tensor))
    two = Adapters(net.space, {k: t.expand(2, *t.shape[1:]) for k, t in one.tensors.items()})
    with pytest.raises(ValueError, match="set_bias needs 1 adapter"):
        net.set_bias(two)


def test_the_regulariser_is_a_number_a_user(kind: str, network: str) -> None:
    net = trained(kind, network)
    with torch.no_grad():
        adapters = net(*people())
        size = net.l2(adapters)
    assert size.shape == (4,) and bool((size > 0).all()) and len(size.unique()) == 4
    fresh = build(kind, network)
    assert bool((fresh.l2(fresh(*people())) == 0).all()) == (kind != "lora")


def test_what_a_network_cannot_make_is_refused(kind: str, network: str) -> None:
    if kind == "lora" or network == "additive":
        return
    for head in ("M", "S"):
        with pytest.raises(ValueError, match=f"head is '{head}', which shares a linear between A and B"):
            build(kind, network, head=head)
    if kind == "ia3":
        assert build(kind, network, bias="shared")(*people()).tensors["k_proj.l"].eq(1).all()
        net = build(kind, network, bias="shared")
        g = torch.Generator().manual_seed(1)
        one = Adapters(net.space, {k: torch.randn(1, *s, generator=g) for k, s in net.space.shapes().items()})
        with pytest.raises(ValueError, match="differs from place to place"):
            net.set_bias(one)
    else:
        with pytest.raises(ValueError, match="bias is 'shared', but a fresh"):
            build(kind, network, bias="shared")


HOSTILE = [
    ("tokens", 10**9, "tokens"),
    ("tokens", "20", "tokens"),
    ("feedforward", "down_proj", "feedforward"),
    ("feedforward", [1], "feedforward"),
    ("feedforward", ["up_proj"], "not among the targets"),
    ("sites", {}, "sites"),
    ("tokens", 3, "expected"),
]


def test_hostile_configs_are_refused(tmp_path: Path, kind: str, network: str) -> None:
    net = trained(kind, network)
    save_pretrained(
        tmp_path, net, Meta.of(net, base_id="b", base_revision=None, encoder_id="e", template="t", facets=FACETS)
    )
    config = json.loads((tmp_path / "config.json").read_text())
    for field, value, message in HOSTILE:
        if field in config["adapter"]:
            changed = {**config, "adapter": {**config["adapter"], field: value}}
            (tmp_path / "config.json").write_text(json.dumps(changed))
            with pytest.raises(BadCheckpoint, match=message):
                from_pretrained(tmp_path)
    if kind != "lora" and network != "additive":
        changed = {**config, "network": {**config["network"], "head": "M"}}
        (tmp_path / "config.json").write_text(json.dumps(changed))
        with pytest.raises(BadCheckpoint, match="shares a linear"):
            from_pretrained(tmp_path)


def test_other_kinds_have_no_rank(kind: str, network: str) -> None:
    net = build(kind, network)
    meta = Meta.of(net, base_id="b", base_revision=None, encoder_id="e", template="t", facets=FACETS)
    assert meta.sites == net.space.sites and bool(net.factors()) is (kind == "lora")
    if kind == "lora":
        assert meta.rank == 8
        return
    with pytest.raises(ValueError, match=f"{kind} has no rank"):
        _ = meta.rank
