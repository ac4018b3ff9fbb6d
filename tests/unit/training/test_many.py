"""Users side by side: each as if alone, equal to torch's AdamW, the finished frozen bit by bit."""

import pytest
import torch
from torch import Tensor

from tailorlm.training.adamw_many import ManyAdamW
from tailorlm.training.many import ManyResult, ManySettings, Slice, train_many
from tailorlm.training.plan import Plan, plan_epochs
from tailorlm.training.schedule import factor, progress
from tailorlm.training.step import NonFiniteLoss
from tailorlm.training.streams import uniforms

ROWS, WIDTH = 40, 6
ROW_COUNTS = (11, 3, 7, 0, 9)  # users of unequal history, one without any
IDS = ("ada", "bob", "cem", "dua", "eve")


def data(seed: int = 0) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(ROWS, WIDTH, generator=generator)
    return x, torch.randn(ROWS, generator=generator)


def start(seed: int = 3) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return {
        "A": torch.randn(len(IDS), 3, WIDTH, generator=generator),
        "B": torch.randn(len(IDS), 3, generator=generator) / 2,
    }


def rows_of() -> list[list[int]]:
    ends = [sum(ROW_COUNTS[: i + 1]) for i in range(len(ROW_COUNTS))]
    return [list(range(end - n, end)) for n, end in zip(ROW_COUNTS, ends, strict=True)]


class Loss:
    """A low-rank regression with dropout on the input, from each row's own stream."""

    def __init__(self, x: Tensor, y: Tensor, dropout: float = 0.0) -> None:
        self.x, self.y, self.dropout = x, y, dropout

    def __call__(self, params: dict[str, Tensor], part: Slice) -> Tensor:
        rows = list(part.rows)
        x = self.x[rows]
        if self.dropout:
            x = x * (uniforms(part.keys, (WIDTH,)) >= self.dropout) / (1 - self.dropout)
        hidden = torch.bmm(params["A"][part.users], x.unsqueeze(-1)).squeeze(-1).tanh()
        return ((hidden * params["B"][part.users]).sum(-1) - self.y[rows]).square()


SETTINGS = ManySettings(learning_rate=3e-2, warmup=0.3, clip=0.5, weight_decay=0.1)


def train_all(loss: Loss, rows_at_once: int = 64, plan: Plan | None = None) -> ManyResult:
    settings = ManySettings(
        learning_rate=3e-2, warmup=0.3, clip=0.5, weight_decay=0.1, rows_at_once=rows_at_once
    )
    return train_many(loss, start(), plan or plan_epochs(IDS, rows_of(), epochs=4, batch=3), settings)


def one(user: int) -> tuple[dict[str, Tensor], Plan]:
    params = {name: value[user : user + 1] for name, value in start().items()}
    return params, plan_epochs(IDS[user : user + 1], rows_of()[user : user + 1], epochs=4, batch=3)


@pytest.mark.parametrize("user", [0, 1, 2, 4])
def test_a_user_alone_equals_the_user_in_company(user: int) -> None:
    loss = Loss(*data(), dropout=0.2)
    together = train_all(loss)
    params, plan = one(user)
    alone = train_many(loss, params, plan, SETTINGS)
    for name in params:
        assert torch.allclose(alone.params[name][0], together.params[name][user], atol=1e-5)
    assert alone.losses[0] == pytest.approx(together.losses[user], abs=1e-5)
    assert len(alone.losses[0]) == 4 * -(-ROW_COUNTS[user] // 3)


@pytest.mark.parametrize("user", [0, 1, 2, 4])
def test_changed_neighbours_leave_a_user_bit_identical(user: int) -> None:
    x, y = data()
    other_x, other_y = data(seed=9)
    own = rows_of()[user]
    other_x[own], other_y[own] = x[own], y[own]
    before, after = train_all(Loss(x, y, 0.2)), train_all(Loss(other_x, other_y, 0.2))
    for name in before.params:
        assert torch.equal(before.params[name][user], after.params[name][user])
        moved = [u for u in range(5) if u != user and ROW_COUNTS[u]]
        assert not any(torch.equal(before.params[name][u], after.params[name][u]) for u in moved)
    assert before.losses[user] == after.losses[user]


@pytest.mark.parametrize("user", [0, 1, 2, 4])
def test_a_user_equals_torch_adamw_on_it_alone(user: int) -> None:
    loss, (params, plan) = Loss(*data()), one(user)
    together = train_all(loss)
    leaves = {name: value.clone().requires_grad_() for name, value in params.items()}
    adamw = torch.optim.AdamW(leaves.values(), lr=1.0, weight_decay=SETTINGS.weight_decay)
    steps = plan.steps[0]
    for step, rows in enumerate(steps):
        rate = factor(progress(step, len(steps)), SETTINGS.warmup, SETTINGS.decay) * SETTINGS.learning_rate
        adamw.param_groups[0]["lr"] = rate
        adamw.zero_grad()
        here = torch.zeros(len(rows), dtype=torch.long)
        loss(leaves, Slice(rows, here, here)).mean().backward()
        torch.nn.utils.clip_grad_norm_(leaves.values(), SETTINGS.clip)
        adamw.step()
    for name in leaves:
        assert torch.allclose(leaves[name][0], together.params[name][user], atol=1e-5)


def test_a_user_without_rows_keeps_every_bit_and_rows_at_once_changes_nothing() -> None:
    loss = Loss(*data(), dropout=0.2)
    whole, parts = train_all(loss), train_all(loss, rows_at_once=2)
    for name, value in start().items():
        assert torch.equal(whole.params[name][3], value[3])
        assert torch.allclose(whole.params[name], parts.params[name], atol=1e-5)
    assert whole.losses[3] == ()


def test_the_callers_parameters_are_not_touched_and_users_learn() -> None:
    params = start()
    plan = plan_epochs(IDS, rows_of(), epochs=40, batch=3)
    steps: list[tuple[int, int]] = []
    result = train_many(Loss(*data()), params, plan, SETTINGS, lambda *at: steps.append(at))
    assert steps[-1] == (160, 160) and len(steps) == 160
    assert all(torch.equal(params[name], value) for name, value in start().items())
    for losses in result.losses:
        assert not losses or sum(losses[-4:]) < 0.5 * sum(losses[:4])


def test_the_finished_are_frozen_with_their_state_whatever_their_gradient() -> None:
    params = start()
    optimiser = ManyAdamW(params, clip=1.0)
    active, rate = torch.tensor([True, False, True, True, False]), torch.full((5,), 1e-2)
    for _ in range(2):
        optimiser.step({name: torch.randn_like(p) for name, p in params.items()}, torch.ones(5).bool(), rate)
    saved = {"first": optimiser.first, "second": optimiser.second, "param": params}
    before = {kind: {name: t.clone() for name, t in state.items()} for kind, state in saved.items()}
    grads = {name: torch.randn_like(p) for name, p in params.items()}
    for grad in grads.values():
        grad[1] = float("nan")
    optimiser.step(grads, active, rate)
    assert optimiser.steps.tolist() == [3, 2, 3, 3, 2]
    for kind, state in saved.items():
        for name, tensor in state.items():
            assert torch.equal(tensor[~active], before[kind][name][~active])
            assert not (tensor[active] == before[kind][name][active]).flatten(1).all(1).any()


def test_optimiser_state_continues_exactly_and_other_shapes_are_refused() -> None:
    torch.manual_seed(0)
    grads = [{name: torch.randn_like(p) for name, p in start().items()} for _ in range(4)]
    everyone, rate = torch.ones(5).bool(), torch.full((5,), 1e-2)
    whole = ManyAdamW(start())
    for grad in grads:
        whole.step(grad, everyone, rate)
    first = ManyAdamW(start())
    for grad in grads[:2]:
        first.step(grad, everyone, rate)
    second = ManyAdamW({name: p.clone() for name, p in first.params.items()})
    second.load_state_dict(first.state_dict())
    for grad in grads[2:]:
        second.step(grad, everyone, rate)
    assert all(torch.equal(whole.params[name], second.params[name]) for name in whole.params)
    with pytest.raises(ValueError, match=r"expected .*received"):
        second.load_state_dict(ManyAdamW({"A": torch.zeros(5, 2)}).state_dict())


def test_a_users_infinite_loss_stops_with_its_id() -> None:
    x, y = data()
    y[rows_of()[2][0]] = float("inf")
    with pytest.raises(NonFiniteLoss, match="cem") as caught:
        train_all(Loss(x, y))
    assert caught.value.ids == ("cem",)


def test_a_plan_depends_on_the_user_alone_and_shows_each_row_once_a_pass() -> None:
    plan = plan_epochs(IDS, rows_of(), epochs=2, batch=4, seed=5)
    for user, own in enumerate(rows_of()):
        alone = plan_epochs(IDS[user : user + 1], [own], epochs=2, batch=4, seed=5)
        assert alone.steps[0] == plan.steps[user] and alone.keys()[0] == plan.keys()[user]
        seen = [row for step in plan.steps[user] for row in step]
        assert sorted(seen) == sorted(own * 2) and sorted(seen[: len(own)]) == own
    assert plan.steps != plan_epochs(IDS, rows_of(), epochs=2, batch=4, seed=6).steps


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Plan(("a", "a"), (((1,),), ((2,),))), "1 different"),
        (lambda: Plan(("a",), (((1,), ()),)), "'a' has a step without rows"),
        (lambda: plan_epochs(["a"], [[1]], epochs=0, batch=1), "epochs is 0"),
        (lambda: ManySettings(decay="sudden"), "'sudden'"),
        (lambda: ManySettings(rows_at_once=0), "rows_at_once is 0"),
        (lambda: ManyAdamW({"A": torch.zeros(2, 3), "B": torch.zeros(3, 3)}), "'B': 3"),
        (lambda: train_many(Loss(*data()), start(), Plan(("a",), (((1,),),)), SETTINGS), "1 users"),
        (
            lambda: train_many(
                lambda p, s: p["A"].sum(), start(), plan_epochs(IDS, rows_of(), epochs=1, batch=2), SETTINGS
            ),
            "one number per row",
        ),
    ],
)
def test_what_cannot_work_is_refused(make: object, message: str) -> None:
    assert callable(make)
    with pytest.raises(ValueError, match=message):
        make()
