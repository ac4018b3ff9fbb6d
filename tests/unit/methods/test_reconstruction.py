"""Text-to-LoRA by reconstruction: distances, gains, targets of each task's own, and that they are reached."""

import json

import pytest
import torch
from described_tasks import loss_of, settings, start

from tailorlm.adapters.batch import Adapters
from tailorlm.methods import described, reconstruction, text_to_lora
from tailorlm.methods.described import task_rows
from tailorlm.training.many import ManySettings


@pytest.mark.parametrize("goal,steps", [("z_score", 500), ("delta_w", 200)])
def test_reconstruction_reaches_the_trained_adapters(bench, tasks, tmp_path, goal, steps):
    """Near zero distance on its own tasks: every description gives its own task's LoRA, not another's."""
    source = text_to_lora.Source(bench, settings(steps, goal, learning_rate=3e-3, warmup=0.05, save_every=0))
    source.prepare(tasks, tmp_path / "run")
    curve = [json.loads(line)["loss"] for line in (tmp_path / "run" / "curve.jsonl").read_text().splitlines()]
    assert curve[-1] < 0.15 * curve[0]
    kept = torch.load(tmp_path / "run" / reconstruction.TARGETS, weights_only=True)
    made = reconstruction.deltas(source.generate([described.lines(task)[-1] for task in tasks]))["v_proj"]
    wanted = reconstruction.deltas(Adapters(source.space, kept["tensors"]))["v_proj"]
    apart = (made[:, None] - wanted[None]).abs().flatten(2).mean(2)
    assert apart.argmin(1).tolist() == [0, 1, 2, 3]
    assert apart.diagonal().max() < 0.5 * (apart + torch.eye(4) * 1e9).min()


def test_given_adapters_are_the_targets(bench, tasks, tmp_path):
    one = start(bench)
    given = Adapters(one.space, {n: torch.cat([t, t * 2, t * 3, t * 4]) for n, t in one.tensors.items()})
    source = text_to_lora.Source(bench, settings(2, "delta_w"))
    source.prepare_tasks(source.tasks(tasks), tmp_path / "run", targets=given)
    kept = torch.load(tmp_path / "run" / reconstruction.TARGETS, weights_only=True)
    assert all(torch.equal(kept["tensors"][name], tensor) for name, tensor in given.tensors.items())
    with pytest.raises(ValueError, match="3 tasks need as many LoRAs"):
        source.prepare_tasks(source.tasks(tasks[:3]), tmp_path / "other", targets=given)
    with pytest.raises(ValueError, match="trains on tasks' rows"):
        text_to_lora.Source(bench, settings()).prepare_tasks(source.tasks(tasks), tmp_path / "sft", targets=given)


def test_gains_make_head_outputs_z_scores(bench, tasks):
    """A head output of 1 everywhere moves each rank row by its own mean spread, whatever the scale of B."""
    source = text_to_lora.Source(bench, settings(goal="z_score"))
    one = start(bench)
    many = Adapters(one.space, {n: t + torch.randn(6, *t.shape[1:]) * 0.01 for n, t in one.tensors.items()})
    network = source.build(source.table(["a", "b"]), one)
    reconstruction.set_gains(network, many)
    for group, pair in zip(source.space.groups, network.factors(), strict=True):
        moved = pair.b.finish(torch.ones_like(pair.b.bias)[:, None]) - pair.b.scaling * pair.b.bias[:, None]
        spreads = reconstruction.spread(many.tensors[f"{group.name}.B"])[0].mean((0, 1))
        assert torch.allclose(moved, spreads[:, None].expand_as(moved), rtol=1e-3)
    assert not any(p.requires_grad for name, p in network.named_parameters() if name.endswith("gain"))


def test_distances_are_zero_at_the_targets_and_count_each_entry(bench):
    torch.manual_seed(0)
    one = start(bench)
    many = Adapters(one.space, {n: t + torch.randn(5, *t.shape[1:]) * 0.3 for n, t in one.tensors.items()})
    for make in (reconstruction.z_scored, reconstruction.on_delta_w):
        distance = make(many)
        assert torch.equal(distance(many, many), torch.zeros(5))
        assert (distance(many, many[torch.tensor([1, 2, 3, 4, 0])]) > 0.1).all()
    deviation = {n: t.std(0, correction=0, keepdim=True) for n, t in many.tensors.items()}
    shifted = Adapters(one.space, {n: t + deviation[n] for n, t in many.tensors.items()})
    expected = [(deviation[n] / reconstruction.spread(t)).flatten() for n, t in many.tensors.items()]
    assert torch.allclose(reconstruction.z_scored(many)(shifted, many), torch.cat(expected).mean().expand(5), atol=1e-4)


def test_delta_w_does_not_see_how_a_product_is_split(bench):
    """A doubled and B halved is the same adapter: zero on delta W, not on entries."""
    one = start(bench)
    many = Adapters(one.space, {n: torch.cat([t, t * 1.7]) for n, t in one.tensors.items()})
    split = Adapters(one.space, {n: t * (0.5 if n.endswith(".B") else 2.0) for n, t in many.tensors.items()})
    assert torch.allclose(reconstruction.on_delta_w(many)(split, many), torch.zeros(2), atol=1e-4)
    assert (reconstruction.z_scored(many)(split, many) > 0.1).all()


def test_targets_are_each_tasks_own_training(bench, tasks):
    """A task's LoRA in company equals it alone, and lowers its own loss more than its neighbour's does."""
    source = text_to_lora.Source(bench, settings())
    few = reconstruction.TargetSettings(epochs=4, batch=3, train=ManySettings(learning_rate=2e-2))

    def targets(users):
        rows = task_rows(bench, source.tasks(users))
        return reconstruction.trained_adapters(bench, source.injector, rows, start(bench), few, 0)

    together, alone = targets(tasks), targets(tasks[1:2])
    for name, tensor in alone.tensors.items():
        assert torch.allclose(tensor[0], together.tensors[name][1], atol=1e-5)
    assert loss_of(bench, source, tasks, together, 0) < loss_of(bench, source, tasks, together, 1)
