"""AdamW of many users: the finished frozen, any size of blocks, its state saved and continued."""

import pytest
import torch
from many_regression import start
from torch import Tensor

from tailorlm.training.adamw_many import ManyAdamW
from tailorlm.training.flat import flat


def rows_and_grads(steps: int) -> tuple[Tensor, list[Tensor]]:
    torch.manual_seed(0)
    rows = flat(start())
    return rows, [torch.randn_like(rows) for _ in range(steps)]


def take(optimiser: ManyAdamW, grad: Tensor, active: tuple[bool, ...] = (True,) * 5) -> None:
    optimiser.step(grad, torch.linalg.vector_norm(grad, dim=1), active, [1e-2] * 5)


@pytest.mark.parametrize("block", [1, 7, 40, 1 << 15])
def test_the_finished_are_frozen_with_their_state_whatever_their_gradient(block: int) -> None:
    rows, grads = rows_and_grads(3)
    optimiser = ManyAdamW(rows, clip=1.0)
    optimiser.block = block
    for grad in grads[:2]:
        take(optimiser, grad)
    saved = [optimiser.params, optimiser.first, optimiser.second]
    before = [tensor.clone() for tensor in saved]
    grads[2][1] = float("nan")
    active = torch.tensor([True, False, True, True, False])
    take(optimiser, grads[2], tuple(active.tolist()))
    assert optimiser.steps.tolist() == [3, 2, 3, 3, 2]
    for tensor, old in zip(saved, before, strict=True):
        assert torch.equal(tensor[~active], old[~active])
        assert not (tensor[active] == old[active]).all(1).any()


@pytest.mark.parametrize("block", [1, 7, 40])
def test_the_size_of_blocks_changes_nothing(block: int) -> None:
    (rows, grads), (other, _) = rows_and_grads(3), rows_and_grads(0)
    whole, parts = ManyAdamW(rows, clip=1.0), ManyAdamW(other, clip=1.0)
    parts.block = block
    for grad in grads:
        take(whole, grad)
        take(parts, grad)
    assert torch.allclose(rows, other, atol=1e-7)


def test_optimiser_state_continues_exactly_and_other_shapes_are_refused() -> None:
    rows, grads = rows_and_grads(4)
    whole, first = ManyAdamW(rows.clone()), ManyAdamW(rows.clone())
    for grad in grads:
        take(whole, grad)
    for grad in grads[:2]:
        take(first, grad)
    second = ManyAdamW(first.params.clone())
    second.load_state_dict(first.state_dict())
    for grad in grads[2:]:
        take(second, grad)
    assert torch.equal(whole.params, second.params)
    with pytest.raises(ValueError, match=r"expected .*received"):
        second.load_state_dict(ManyAdamW(torch.zeros(5, 2)).state_dict())
