"""Dropout of a LoRA's input: the right share, the same mask at q and v, none of the layer's own input."""

import torch

from tailorlm.adapters.batch import Adapters
from tailorlm.adapters.lora import LoraSpace
from tailorlm.adapters.sites import Site
from tailorlm.methods.masks import Masked

SITES = tuple(Site(f"layers.0.{name}", name, 0, 40, 6) for name in ("q", "v"))
SPACE = LoraSpace(SITES, 40)


def deltas(keys, x, rate=0.25, inputs=(SITES,)):
    """What the LoRA adds at q and v; A and B read the dropped input out."""
    tensors = {"q.A": torch.eye(40), "v.A": torch.eye(40), "q.B": torch.eye(6, 40), "v.B": torch.eye(6, 40)}
    space = Masked(SPACE, rate, torch.tensor(keys))
    adapters = Adapters(space, {name: t[None, None] for name, t in tensors.items()})
    changes = space.bind(adapters.tensors, torch.zeros(len(keys), dtype=torch.long), inputs, x.dtype, 0.0)
    plain = torch.nn.Linear(40, 6, bias=False)
    with torch.no_grad():
        return [changes[site.path](x, plain) - plain(x) for site in SITES]


def test_masks_are_the_rows_own_shared_by_sites_of_one_input():
    x = torch.ones(3, 50, 40)
    q, v = deltas([1, 2, 1], x)
    assert torch.allclose(q, v, atol=1e-5)
    assert torch.allclose(q[0], q[2], atol=1e-5) and not torch.allclose(q[0], q[1], atol=0.1)
    kept = q[..., :6] > 0.5
    assert torch.allclose(q[kept], torch.full_like(q[kept], 4 / 3), atol=1e-5)
    assert abs(kept.float().mean() - 0.75) < 0.05


def test_padding_and_other_inputs_change_no_mask():
    x = torch.ones(1, 50, 40)
    long, short = deltas([7], x)[0], deltas([7], x[:, :20])[0]
    assert torch.allclose(long[:, :20], short, atol=1e-5)
    q, v = deltas([7], x, inputs=((SITES[0],), (SITES[1],)))
    assert not torch.allclose(q, v, atol=0.1) and torch.allclose(q, long, atol=1e-5)
