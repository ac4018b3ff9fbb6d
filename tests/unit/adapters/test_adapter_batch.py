"""Batches of adapters: the user axis stays, wrong shapes never exist, NaN is named."""

import pytest
import torch

from tailorlm.adapters.batch import Adapters, BadAdapters
from tailorlm.adapters.lora import LoraSpace, joined
from tailorlm.adapters.sites import Site

SITES = tuple(Site(f"layers.{i}.{m}", m, i, 6, o) for i in range(2) for m, o in (("q", 6), ("v", 4)))
SPACE = LoraSpace(SITES, 3)


def adapters(users=4, seed=0, space=SPACE):
    g = torch.Generator().manual_seed(seed)
    return Adapters(space, {k: torch.randn(users, *s, generator=g) for k, s in space.shapes().items()})


def delta(batch, group="q"):
    return batch.tensors[f"{group}.B"] @ batch.tensors[f"{group}.A"]


def test_shapes_of_lora():
    assert SPACE.shapes() == {"q.A": (2, 3, 6), "q.B": (2, 6, 3), "v.A": (2, 3, 6), "v.B": (2, 4, 3)}
    assert SPACE.kind == "lora" and SPACE.neutral_start and "peft" in SPACE.engines


def test_spaces_are_equal_whatever_the_order_of_their_sites():
    assert LoraSpace(SITES[::-1], 3) == SPACE
    assert LoraSpace(SITES, 2) != SPACE


@pytest.mark.parametrize(
    ("which", "rows"),
    [(1, [1]), (-1, [3]), (slice(1, 3), [1, 2]), (torch.tensor([3, 0, 3]), [3, 0, 3])],
)
def test_indexing_keeps_the_user_axis(which, rows):
    batch = adapters()
    picked = batch[which]
    assert len(picked) == len(rows)
    for name, tensor in picked.tensors.items():
        assert torch.equal(tensor, batch.tensors[name][rows])


def test_an_index_beyond_the_last_is_an_error():
    with pytest.raises(IndexError):
        adapters()[4]


def test_cat_is_the_inverse_of_indexing():
    batch = adapters()
    again = Adapters.cat([batch[i] for i in range(4)])
    assert all(torch.equal(again.tensors[k], t) for k, t in batch.tensors.items())


def test_cat_refuses_two_spaces_and_nothing():
    with pytest.raises(ValueError, match="two spaces"):
        Adapters.cat([adapters(), adapters(space=LoraSpace(SITES, 2))])
    with pytest.raises(ValueError, match="no adapters"):
        Adapters.cat([])


@pytest.mark.parametrize("strength", [0.0, 0.3, 1.0, 1.5])
def test_strength_scales_the_delta(strength):
    batch = adapters()
    torch.testing.assert_close(delta(batch.scaled(strength)), strength * delta(batch))


@pytest.mark.parametrize("strength", [-0.1, 1.6, float("nan")])
def test_strength_outside_its_range_is_refused(strength):
    with pytest.raises(ValueError, match="strength"):
        adapters().scaled(strength)


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("name", ["q.A", "v.B"])
def test_check_names_the_tensor_and_the_adapter(bad, name):
    batch = adapters()
    batch.check()
    batch.tensors[name][2, 1, 0, 1] = bad
    with pytest.raises(BadAdapters, match=f"tensor {name} of adapter 2"):
        batch.check()


def test_check_accepts_half_precision_whose_sum_would_overflow():
    Adapters(SPACE, {k: torch.full((9, *s), 6e4).half() for k, s in SPACE.shapes().items()}).check()


@pytest.mark.parametrize("change", ["missing", "extra", "shape", "users", "scalar"])
def test_wrong_shapes_never_exist(change):
    tensors = dict(adapters().tensors)
    if change == "missing":
        del tensors["v.B"]
    elif change == "extra":
        tensors["z.A"] = torch.zeros(4, 1)
    elif change == "shape":
        tensors["q.A"] = torch.zeros(4, 2, 3, 7)
    elif change == "users":
        tensors["q.A"] = torch.zeros(3, 2, 3, 6)
    else:
        tensors["q.A"] = torch.zeros(())
    with pytest.raises(BadAdapters):
        Adapters(SPACE, tensors)


def test_detach_and_to():
    batch = Adapters(SPACE, {k: t.requires_grad_() for k, t in adapters().tensors.items()})
    assert batch.tensors["q.A"].requires_grad and not batch.detach().tensors["q.A"].requires_grad
    assert batch.to(torch.float64).tensors["q.A"].dtype == torch.float64


def test_joined_adapters_add_their_deltas():
    one, two = adapters(seed=1), adapters(seed=2, space=LoraSpace(SITES, 2))
    both = joined(one, two)
    assert both.space == LoraSpace(SITES, 5)
    for group in ("q", "v"):
        torch.testing.assert_close(delta(both, group), delta(one, group) + delta(two, group))


def test_one_adapter_joins_all_users():
    task, users = adapters(users=1, seed=1), adapters(seed=2)
    torch.testing.assert_close(delta(joined(task, users)), delta(task) + delta(users))


def test_joined_refuses_other_sites_and_unpaired_users():
    with pytest.raises(ValueError, match="paired"):
        joined(adapters(users=2), adapters(users=3))
    with pytest.raises(ValueError, match="same sites"):
        joined(adapters(), adapters(space=LoraSpace(SITES[:2], 3)))


def test_a_rank_below_one_is_refused():
    with pytest.raises(ValueError, match="rank 0"):
        LoraSpace(SITES, 0)
