"""B C A: equal to the anchor at the start, A frozen, what is counted, what is exported."""

import pytest
import torch

from tailorlm.adapters.batch import Adapters
from tailorlm.adapters.lora import LoraSpace
from tailorlm.adapters.sites import Site
from tailorlm.methods import bridge

SPACE = LoraSpace(tuple(Site(f"layers.{n}.{m}", m, n, 12, o) for n in range(3) for m, o in (("q", 10), ("v", 6))), 4)


def random_lora(users, seed=0):
    generator = torch.Generator().manual_seed(seed)
    tensors = {n: torch.randn(users, *shape, generator=generator) for n, shape in SPACE.shapes().items()}
    return Adapters(SPACE, tensors)


def deltas(adapters):
    """(U, L, O, I) by group."""
    return {g.name: adapters.tensors[f"{g.name}.B"] @ adapters.tensors[f"{g.name}.A"] for g in adapters.space.groups}


def moved(tensors, seed=1):
    generator = torch.Generator().manual_seed(seed)
    return {name: t + 0.1 * torch.randn(t.shape, generator=generator) for name, t in tensors.items()}


@pytest.mark.parametrize("anchors", [1, 5])
@pytest.mark.parametrize("train", ["B+C", "B", "C", "full"])
@pytest.mark.parametrize("cut_out", [False, True])
def test_the_start_is_the_anchor_or_for_what_is_cut_out_the_base(train, cut_out, anchors):
    anchor = random_lora(anchors)
    where = bridge.space(SPACE, train, cut_out)
    trained, frozen = bridge.parts(anchor, 5, train, 2.5, cut_out)
    found, wanted = deltas(bridge.effective(where, 2.5, trained, frozen)), deltas(anchor)
    assert {name.rsplit(".", 1)[1] for name in trained} == set(bridge.TRAINED[train])
    for name, delta in found.items():
        assert delta.shape[0] == 5
        assert torch.allclose(delta, torch.zeros(()) if cut_out else wanted[name].expand_as(delta), atol=1e-5)


@pytest.mark.parametrize("train", ["B+C", "B", "C", "full"])
@pytest.mark.parametrize("cut_out", [False, True])
def test_the_export_is_the_trained_delta(train, cut_out):
    trained, frozen = bridge.parts(random_lora(5), 5, train, 2.5, cut_out)
    new = moved(trained)
    found = deltas(bridge.effective(bridge.space(SPACE, train, cut_out), 2.5, new, frozen))
    all_of = {**frozen, **new}
    for group in SPACE.groups:
        a, b = all_of[f"{group.name}.A"], all_of[f"{group.name}.B"]
        wanted = 2.5 * b @ all_of.get(f"{group.name}.C", torch.eye(4)) @ a
        if cut_out:
            start = {**frozen, **trained}
            wanted = wanted - 2.5 * start[f"{group.name}.B"] @ start[f"{group.name}.A"]
        assert torch.allclose(found[group.name], wanted, atol=1e-4)


@pytest.mark.parametrize("train", ["B+C", "B", "C"])
def test_rows_of_the_delta_lie_in_the_row_space_of_a(train):
    anchor = random_lora(2)
    trained, frozen = bridge.parts(anchor, 2, train, 1.0, False)
    for name, delta in deltas(bridge.effective(SPACE, 1.0, moved(trained), frozen)).items():
        a = anchor.tensors[f"{name}.A"]
        onto = torch.linalg.pinv(a) @ a
        assert torch.allclose(delta @ onto, delta, atol=1e-4)
    trained, frozen = bridge.parts(anchor, 2, "full", 1.0, False)
    away = deltas(bridge.effective(SPACE, 1.0, moved(trained), frozen))
    assert all((d @ torch.linalg.pinv(anchor.tensors[f"{n}.A"]) @ anchor.tensors[f"{n}.A"] - d).abs().max() > 0.01
               for n, d in away.items())  # fmt: skip


def test_the_trainable_share_is_the_papers():
    full, ours = bridge.trainable(SPACE, "full"), bridge.trainable(SPACE, "B+C")
    for site in SPACE.sites:
        one = LoraSpace((site,), 4)
        share = bridge.trainable(one, "B+C") / bridge.trainable(one, "full")
        assert share == pytest.approx((site.d_out + 4) / (site.d_in + site.d_out))
    trained, _ = bridge.parts(random_lora(1), 1, "B+C", 1.0, False)
    assert ours == sum(t.numel() for t in trained.values()) and ours < full
    for train in bridge.TRAINED:
        made, _ = bridge.parts(random_lora(1), 1, train, 1.0, False)
        assert bridge.trainable(SPACE, train) == sum(t.numel() for t in made.values())


def test_only_what_moves_off_its_a_needs_twice_the_rank():
    assert bridge.space(SPACE, "full", True).rank == 8
    assert all(
        bridge.space(SPACE, train, cut).rank == 4 for train, cut in (("full", False), ("B+C", True), ("C", True))
    )


def test_another_number_of_anchors_is_refused():
    with pytest.raises(ValueError, match="each of 5 users, got 2"):
        bridge.parts(random_lora(2), 5, "B", 1.0, False)
