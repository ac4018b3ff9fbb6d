"""The additive network: exact start, sums of what slots add, own user's adapter, checkpoints."""

from pathlib import Path

import pytest
import torch

from tailorlm.adapters.batch import Adapters
from tailorlm.adapters.lora import LoraSpace
from tailorlm.adapters.sites import Site
from tailorlm.hypernet.additive import Additive
from tailorlm.hypernet.checkpoint import from_pretrained, save_pretrained
from tailorlm.hypernet.config import BadCheckpoint, Meta
from tailorlm.hypernet.kinds import make

SPACE = LoraSpace(
    [Site(f"layers.{n}.{m}", m, n, 6, out) for n in range(2) for m, out in (("q_proj", 6), ("v_proj", 3))], 4
)
FACETS = ("a", "b", "c")


def people(users: int = 12) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    vectors = torch.randn(users, 3, 5, generator=generator)
    mask = torch.rand(users, 3, generator=generator) > 0.2
    return vectors, mask


def network(weights: float = 0.0) -> Additive:
    torch.manual_seed(0)
    made = Additive(SPACE, 5, scaling=2.0, slots=3, components=4)
    made.fit(*people())
    for head in made.heads:
        torch.nn.init.normal_(head.weight, std=weights) if weights else None
    return made


def deltas(adapters: Adapters) -> dict[str, torch.Tensor]:
    return {g.name: adapters.tensors[f"{g.name}.B"] @ adapters.tensors[f"{g.name}.A"] for g in SPACE.groups}


def test_the_start_changes_nothing_and_b_has_a_gradient() -> None:
    net = network()
    adapters = net(*people())
    assert all(not delta.any() for delta in deltas(adapters).values())
    sum(delta.sum() for delta in deltas(adapters).values()).backward()
    assert all(head.weight.grad.abs().max() > 0 for head in net.heads)


def test_what_slots_do_together_is_the_sum_of_what_each_does() -> None:
    net, (vectors, _) = network(0.5), people()
    base = vectors[:1]
    one, two, both = base.clone(), base.clone(), base.clone()
    one[0, 0] = both[0, 0] = vectors[3, 0]
    two[0, 1] = both[0, 1] = vectors[7, 1]
    mask = torch.ones(1, 3, dtype=torch.bool)
    parts = [deltas(net(v, mask)) for v in (base, one, two, both)]
    for name in parts[0]:
        zero, first, second, joint = (part[name] for part in parts)
        assert torch.allclose(joint - zero, (first - zero) + (second - zero), atol=1e-5)
        assert (first - zero).abs().max() > 1e-3


def test_permuting_users_permutes_adapters_and_company_changes_nothing() -> None:
    net, (vectors, mask) = network(0.5), people()
    all_of_them = net(vectors, mask)
    order = torch.randperm(len(vectors))
    for name, tensor in net(vectors[order], mask[order]).tensors.items():
        assert torch.allclose(tensor, all_of_them.tensors[name][order], atol=1e-6)
        assert torch.allclose(net(vectors[3:4], mask[3:4]).tensors[name][0], all_of_them.tensors[name][3], atol=1e-6)


def test_a_missing_statement_has_a_term_of_its_own() -> None:
    net, (vectors, _) = network(0.5), people()
    there, missing = torch.ones(1, 3, dtype=torch.bool), torch.tensor([[True, False, True]])
    rubbish = vectors[:1].clone()
    rubbish[0, 1] = 1e6
    first, second = deltas(net(vectors[:1], missing)), deltas(net(rubbish, missing))
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert any(not torch.equal(first[n], d) for n, d in deltas(net(vectors[:1], there)).items())


def test_a_start_is_everybodys_adapter() -> None:
    net = network()
    start = Adapters(SPACE, {n: torch.randn(1, *shape) for n, shape in SPACE.shapes().items()})
    net.set_bias(start)
    for name, tensor in net(*people()).tensors.items():
        assert torch.allclose(tensor, start.tensors[name].expand_as(tensor), atol=1e-6)


def test_wrong_shapes_and_settings_are_refused() -> None:
    vectors, mask = people()
    with pytest.raises(ValueError, match=r"must be \(U, 3, 5\)"):
        network()(vectors[:, :2], mask[:, :2])
    with pytest.raises(ValueError, match="mask must be bool"):
        network()(vectors, mask.float())
    with pytest.raises(ValueError, match="components is 0"):
        Additive(SPACE, 5, scaling=2.0, slots=3, components=0)
    with pytest.raises(ValueError, match="scaling"):
        Additive(SPACE, 5, scaling=float("nan"), slots=3)
    with pytest.raises(RuntimeError, match="fit"):
        Additive(SPACE, 5, scaling=2.0, slots=3)(vectors, mask)


def test_saved_and_loaded_it_is_the_same_network(tmp_path) -> None:
    net = network(0.5)
    meta = Meta.of(net, base_id="base", base_revision=None, encoder_id="enc", template="t", facets=FACETS)
    save_pretrained(tmp_path, net, meta)
    again, found = from_pretrained(tmp_path)
    assert isinstance(again, Additive)
    assert found == meta
    for name, tensor in again(*people()).tensors.items():
        assert torch.equal(tensor, net(*people()).tensors[name])


def test_a_checkpoint_with_odd_settings_is_refused(tmp_path) -> None:
    net = network()
    save_pretrained(
        tmp_path, net, Meta.of(net, base_id="b", base_revision=None, encoder_id="e", template="t", facets=FACETS)
    )
    config = tmp_path / "config.json"
    config.write_text(config.read_text().replace('"components": 4', '"components": 4, "latent": 8'))
    with pytest.raises(BadCheckpoint, match="latent"):
        from_pretrained(tmp_path)


def test_the_kind_follows_the_head() -> None:
    assert isinstance(make(SPACE, network().settings), Additive)


def test_sets_are_read_in_any_order_and_each_user_has_the_own_adapter() -> None:
    torch.manual_seed(0)
    net, (vectors, mask) = Additive(SPACE, 5, scaling=2.0, pool="attention", components=4, queries=3), people()
    net.fit(vectors, mask)
    assert all(not delta.any() for delta in deltas(net(vectors, mask)).values())
    for head in net.heads:
        torch.nn.init.normal_(head.weight, std=0.5)
    made, order = deltas(net(vectors, mask)), torch.tensor([2, 0, 1])
    turned, back = deltas(net(vectors[:, order], mask[:, order])), deltas(net(vectors.flip(0), mask.flip(0)))
    for name, delta in made.items():
        assert torch.allclose(turned[name], delta, atol=1e-5)
        assert torch.allclose(back[name].flip(0), delta, atol=1e-5)
        assert (delta[0] - delta[1]).abs().max() > 1e-3
    wider = torch.cat([vectors, torch.full((12, 2, 5), torch.nan)], 1), torch.cat([mask, torch.zeros(12, 2) > 1], 1)
    assert all(torch.allclose(delta, made[name], atol=1e-5) for name, delta in deltas(net(*wider)).items())


def test_a_network_of_sets_is_the_same_after_reload(tmp_path: Path) -> None:
    torch.manual_seed(0)
    net, (vectors, mask) = Additive(SPACE, 5, scaling=2.0, pool="attention", components=4, queries=3), people()
    net.fit(vectors, mask)
    for head in net.heads:
        torch.nn.init.normal_(head.weight, std=0.5)
    save_pretrained(tmp_path, net, Meta.of(net, base_id="b", base_revision=None, encoder_id="e", template="t"))
    again = from_pretrained(tmp_path)[0]
    assert all(torch.equal(delta, deltas(net(vectors, mask))[n]) for n, delta in deltas(again(vectors, mask)).items())
