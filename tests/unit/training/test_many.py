"""Users side by side: each as if alone, equal to torch's AdamW, the finished frozen bit by bit."""

from collections.abc import Mapping

import pytest
import torch
from many_regression import IDS, ROW_COUNTS, ROWS, SETTINGS, Loss, data, one, rows_of, start, train_all
from torch import Tensor

from tailorlm.training.adamw_many import ManyAdamW
from tailorlm.training.flat import flat
from tailorlm.training.many import ManySettings, Slice, train_many
from tailorlm.training.plan import Plan, plan_epochs
from tailorlm.training.schedule import factor, progress
from tailorlm.training.step import NonFiniteLoss


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


def test_an_observer_sees_every_gradient_before_the_clip_and_changes_nothing() -> None:
    loss, plan = Loss(*data()), plan_epochs(IDS, rows_of(), epochs=1, batch=20)
    found: list[dict[str, Tensor]] = []

    def look(step: int, grads: Mapping[str, Tensor]) -> None:
        found.append({name: grad.clone() for name, grad in grads.items()})

    seen = train_many(loss, start(), plan, SETTINGS, observe=look)
    assert all(torch.equal(p, seen.params[n]) for n, p in train_many(loss, start(), plan, SETTINGS).params.items())
    assert len(found) == 1 and not found[0]["A"][3].any()
    for user in (0, 1, 2, 4):
        params = {name: value[user : user + 1].requires_grad_() for name, value in start().items()}
        here = torch.zeros(ROW_COUNTS[user], dtype=torch.long)
        loss(params, Slice(tuple(rows_of()[user]), here, here)).mean().backward()
        for name, value in params.items():
            assert torch.allclose(value.grad[0], found[0][name][user], atol=1e-6)


def test_a_rate_of_ones_own_is_the_users_alone() -> None:
    loss = Loss(*data())
    rates = [1e-2, 3e-2, 1e-3, 5e-2, 2e-2]
    plan = plan_epochs(IDS, rows_of(), epochs=2, batch=[2, 3, 4, 5, 6], rates=rates)
    together = train_many(loss, start(), plan, SETTINGS)
    for user in (0, 2, 4):
        settings = ManySettings(learning_rate=rates[user], warmup=0.3, clip=0.5, weight_decay=0.1)
        params, _ = one(user)
        own = plan_epochs(IDS[user : user + 1], rows_of()[user : user + 1], epochs=2, batch=user + 2)
        alone = train_many(loss, params, own, settings)
        assert all(torch.allclose(alone.params[n][0], together.params[n][user], atol=1e-5) for n in params)


def test_rows_of_like_length_share_a_pass_and_it_changes_nothing() -> None:
    loss, plan = Loss(*data(), dropout=0.2), plan_epochs(IDS, rows_of(), epochs=2, batch=3)
    tokens = torch.randperm(ROWS, generator=torch.Generator().manual_seed(0)).tolist()
    settings = ManySettings(learning_rate=3e-2, warmup=0.3, clip=0.5, weight_decay=0.1, rows_at_once=4)
    slices: list[list[int]] = []

    def watched(params: dict[str, Tensor], part: Slice) -> Tensor:
        slices.append([tokens[row] for row in part.rows])
        return loss(params, part)

    sorted_rows = train_many(watched, start(), plan, settings, tokens=tokens)
    as_they_come = train_many(loss, start(), plan, SETTINGS)
    assert all(torch.allclose(sorted_rows.params[n], p, atol=1e-5) for n, p in as_they_come.params.items())
    assert max(slices[0]) <= min(slices[1])


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
        (lambda: ManySettings(clip=-1.0), "clip is -1.0"),
        (lambda: ManySettings(weight_decay=-5.0), "weight_decay is -5.0"),
        (lambda: ManySettings(betas=(2.0, 2.0)), r"betas is \(2.0, 2.0\)"),
        (lambda: ManySettings(betas=(0.9,)), "two in"),
        (lambda: ManySettings(epsilon=-1.0), "epsilon is -1.0"),
        (lambda: ManySettings(learning_rate=float("inf")), "learning_rate is inf"),
        (lambda: ManySettings(learning_rate=float("nan")), "learning_rate is nan"),
        (lambda: ManySettings(warmup=1.0), "warmup is 1.0"),
        (lambda: ManySettings(rows_at_once=0), "rows_at_once is 0"),
        (lambda: flat({"A": torch.zeros(2, 3), "B": torch.zeros(3, 3)}), "'B': 3"),
        (lambda: ManyAdamW(torch.zeros(3)), "a row a user"),
        (lambda: Plan(("a",), (((1,),),), rates=(1e-3, 1e-3)), "1 users need as many rates"),
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
