"""Text-to-LoRA: own description, own rows; unseen tasks never trained on; exact resume; export."""

import json
import re
from dataclasses import replace

import peft
import pytest
import torch
from described_tasks import PLAIN, loss_of, settings, start

from tailorlm.adapters.peft_files import save_peft
from tailorlm.assembly.datasets import task_of as known_task
from tailorlm.backbone.loss import row_losses
from tailorlm.backbone.rows import collate
from tailorlm.data.records import Example, Interaction, User
from tailorlm.hypernet.checkpoint import from_pretrained, save_pretrained
from tailorlm.hypernet.config import Meta
from tailorlm.methods import described, text_to_lora
from tailorlm.methods.batches import BatchSettings
from tailorlm.methods.described import DescribedTask, Told, task_rows
from tailorlm.methods.objectives import HypernetObjective
from tailorlm.methods.source import shared_start
from tailorlm.training.examples import pools_of


@pytest.fixture(scope="module")
def trained(bench, tasks, tmp_path_factory):
    source = text_to_lora.Source(bench, settings(steps=12))
    source.prepare(tasks, tmp_path_factory.mktemp("run") / "t2l")
    return source


def random_heads(network):
    for head in network.heads:
        for parameter in head.parameters():
            torch.nn.init.normal_(parameter, std=0.05)


def test_a_drawn_description_is_always_one_of_the_rows_own_task(bench, tasks):
    rows = task_rows(bench, described.described_users(tasks))
    stream, met = Told(bench, rows, BatchSettings(users=8), 0), set()
    owner = {row.id: task for row, task in zip(rows.rows.rows, rows.task, strict=True)}
    for _ in range(40):
        batch = next(stream)
        for row, number in zip(batch.ids, batch.index.tolist(), strict=True):
            own = tasks[owner[row]]
            assert row.startswith(own.id)
            assert rows.descriptions[number] in described.lines(own)
            met.add(number)
    assert met == set(range(len(rows.descriptions)))


def test_each_rows_loss_is_that_of_its_own_description_and_a_wrong_one_moves_it(bench, tasks):
    source = text_to_lora.Source(bench, settings())
    rows = task_rows(bench, source.tasks(tasks))
    table = source.table(rows.descriptions)
    network = source.build(table, None)
    random_heads(network)
    objective = HypernetObjective(bench.backbone, source.injector, network, table, PLAIN)
    picked, numbers = [own[0] for own in rows.owned()], [first + 1 for first in rows.first]
    batch = collate([rows.rows.rows[i] for i in picked], bench.backbone.pad_id, numbers)
    losses, _ = objective.loss(batch)
    for n, (row, number) in enumerate(zip(picked, numbers, strict=True)):
        adapter = network(*source.table([rows.descriptions[number]]).gather(torch.tensor([0])))
        with source.injector(adapter, torch.tensor([0])):
            own = row_losses(bench.backbone, collate([rows.rows.rows[row]], bench.backbone.pad_id, [0]))
        assert torch.allclose(losses[n], own[0], atol=1e-5)
    wrong, _ = objective.loss(replace(batch, index=batch.index.roll(1)))
    source.injector.clear()
    assert (wrong - losses).abs().min() > 1e-4


def test_permuting_descriptions_permutes_adapters(trained, tasks):
    said = [described.lines(task)[0] for task in tasks]
    there, back = trained.generate(said), trained.generate(said[::-1])
    for name, tensor in there.tensors.items():
        assert torch.allclose(tensor.flip(0), back.tensors[name], atol=1e-6)
    assert (there.tensors["q_proj.B"][0] - there.tensors["q_proj.B"][1]).abs().max() > 1e-5


def test_training_learns_the_tasks_from_their_descriptions(bench, tasks, tmp_path):
    """And the gain is of the description: another task's gives the rows a larger loss."""
    source = text_to_lora.Source(bench, settings(steps=80))
    source.prepare(tasks, tmp_path / "run")
    curve = [json.loads(line)["loss"] for line in (tmp_path / "run" / "curve.jsonl").read_text().splitlines()]
    assert sum(curve[-5:]) < 0.8 * sum(curve[:5])
    adapters = source.generate([described.lines(task)[0] for task in tasks])
    own, wrong = (loss_of(bench, source, tasks, adapters, shift) for shift in (0, 1))
    assert own < wrong - 0.01


@pytest.mark.parametrize("goal", ["sft", "z_score", "delta_w"])
@pytest.mark.parametrize("pool,head", [("single", "S"), ("facets", "M"), ("facets", "additive")])
def test_every_network_and_goal_trains_and_generates(bench, tasks, tmp_path, goal, pool, head):
    source = text_to_lora.Source(bench, settings(2, goal, pool, head), shared_start(start(bench)))
    source.prepare(tasks, tmp_path / "run")
    assert len(source.generate(["some words", "other words"])) == 2


def test_it_begins_at_its_start_for_every_description(bench, tasks):
    source = text_to_lora.Source(bench, settings(), shared_start(start(bench)))
    source.hypernet = source.build(source.table(["one", "two"]), source.start.one()).eval()
    for name, tensor in source.generate(["any", "words"]).tensors.items():
        assert torch.allclose(tensor, start(bench).tensors[name].expand_as(tensor), atol=1e-5)


@pytest.mark.parametrize("goal", ["sft", "z_score"])
def test_a_resumed_run_is_the_run_that_was_never_stopped(bench, tasks, tmp_path, goal, monkeypatch):
    whole = text_to_lora.Source(bench, settings(6, goal))
    whole.prepare(tasks, tmp_path / "whole")
    broken = text_to_lora.Source(bench, settings(6, goal))
    stop_after(monkeypatch, 3)
    with pytest.raises(KeyboardInterrupt):
        broken.prepare(tasks, tmp_path / "broken")
    monkeypatch.undo()
    again = text_to_lora.Source(bench, settings(6, goal))
    again.prepare(tasks, tmp_path / "broken", resume=True)
    for name, value in whole.hypernet.state_dict().items():
        assert torch.equal(value, again.hypernet.state_dict()[name])


def stop_after(monkeypatch, steps):
    """A crash in the step after `steps`: what is left is the checkpoint of step 2."""
    from tailorlm.training import loop

    real, taken = loop.gradient_step, []

    def step(*args):
        if len(taken) == steps:
            raise KeyboardInterrupt
        taken.append(1)
        return real(*args)

    monkeypatch.setattr(loop, "gradient_step", step)


def test_a_run_is_not_trained_over_and_targets_of_other_tasks_are_refused(bench, tasks, tmp_path):
    source = text_to_lora.Source(bench, settings(2, "z_score"))
    source.prepare(tasks, tmp_path / "run")
    with pytest.raises(ValueError, match="resume it"):
        source.prepare(tasks, tmp_path / "run")
    with pytest.raises(ValueError, match="not these 3"):
        source.prepare(tasks[:3], tmp_path / "run", resume=True)


def test_a_network_comes_back_from_its_checkpoint(bench, trained, tmp_path):
    backbone = bench.backbone
    meta = Meta.of(
        trained.hypernet, base_id=backbone.id, base_revision=None, encoder_id=bench.encoder.id,
        template=described.TEMPLATE, facets=trained.facets,
    )  # fmt: skip
    save_pretrained(tmp_path, trained.hypernet, meta)
    network, found = from_pretrained(tmp_path)
    other = text_to_lora.Source(bench, settings())
    other.restore(network, found.facets)
    for name, tensor in trained.generate(["loud words"]).tensors.items():
        assert torch.allclose(tensor, other.generate(["loud words"]).tensors[name], atol=1e-6)
    with pytest.raises(ValueError, match="facets"):
        text_to_lora.Source(bench, settings(pool="facets")).restore(network, found.facets)


def test_an_exported_adapter_is_what_peft_computes(bench, trained, fresh_base, tasks, tmp_path):
    adapters = trained.generate([described.lines(task)[0] for task in tasks[:2]])
    strong = adapters.scaled(1.5)
    save_peft(strong, [tmp_path / "a", tmp_path / "b"], "tiny", None, {})
    ids = bench.backbone.tokenizer("Write a headline: rain opens", return_tensors="pt")["input_ids"]
    with torch.no_grad():
        theirs = peft.PeftModel.from_pretrained(fresh_base.model, str(tmp_path / "b"))(ids).logits
        with trained.injector(strong, torch.tensor([1])):
            ours = bench.backbone.model(ids).logits
        with trained.injector(strong, torch.tensor([0])):
            other = bench.backbone.model(ids).logits
    assert (ours - theirs).abs().max() < 1e-4
    assert (other - theirs).abs().max() > 1e-3


# Users who ask for tasks


def named(bench):
    """A bench whose tasks say what they are, whatever the tasks' own files do."""
    return replace(bench, task_of=lambda name: replace(bench.task_of(name), description=f"the task {name}"))


def test_users_who_ask_for_one_task_share_its_adapter(bench, people, tmp_path):
    bench = named(bench)
    source = text_to_lora.Source(bench, settings(2, tasks="named"))
    source.prepare(people, tmp_path / "run")
    roster = source.enrol(people, ["rating", "headline"])
    assert len(roster.adapters) == 2
    asked = [Example("q", user.id, "headline", "", None) for user in people]
    adapters, index = source.adapters(asked, roster)
    assert index.tolist() == [1] * len(people)
    alone = source.generate(["the task headline"])
    for name, tensor in adapters.tensors.items():
        assert torch.allclose(tensor[1], alone.tensors[name][0], atol=1e-6)
    with pytest.raises(ValueError, match="name the tasks"):
        source.enrol(people)


def test_named_tasks_are_all_items_of_a_task_with_its_own_description(bench, people):
    found = described.named_tasks(people, named(bench).task_of)
    assert [task.name for task in found] == ["headline", "movie_tagging", "rating", "tweet"]
    assert [task.descriptions for task in found] == [(f"the task {task.name}",) for task in found]
    assert found[2].people == tuple(tuple(i for i in user.history if i.task == "rating") for user in people)
    rows = task_rows(bench, found)
    assert len(rows.rows.rows) == sum(len(user.history) for user in people)
    names = [found[owner].name for owner in rows.task]
    assert names == [id.split("/")[0] for id in (row.id for row in rows.rows.rows)] == rows.rows.task


def test_a_named_tasks_negatives_are_other_peoples(bench):
    """All of a task's items are its examples: taken for one person's, no paper would be left for a wrong answer."""
    papers = [
        User(f"u{n}", tuple(Interaction("", f"paper{n} of{i}", float(i), "lamp_1") for i in range(4))) for n in range(3)
    ]
    told = replace(bench, pools=pools_of(papers), max_tokens=512, task_of=known_task)
    rows = task_rows(told, described.named_tasks(papers, known_task)).rows.rows
    assert len(rows) == 9  # a person's first paper has none before it
    for row in rows:
        person = row.id.split("/")[1].split("@")[0]
        asked, *candidates = re.findall(r"paper(\d) of", bench.backbone.tokenizer.decode(row.ids))
        assert asked == person and len(candidates) == 2 and candidates.count(person) == 1


def test_tasks_that_are_users_have_their_first_description(trained, tasks):
    roster = trained.enrol(tasks)
    assert roster.place == {(task.id, None): n for n, task in enumerate(tasks)}
    alone = trained.generate([described.lines(tasks[3])[0]])
    for name, tensor in roster.adapters.tensors.items():
        assert torch.allclose(tensor[3], alone.tensors[name][0], atol=1e-6)


# What a network is trained on


def test_only_given_tasks_and_descriptions_reach_training(bench, tasks, tmp_path, monkeypatch):
    """Held tasks are asked, never trained on: with or without them the network is the same."""
    texts = []
    encoder = Listening(bench.encoder, texts)
    source = text_to_lora.Source(replace(bench, encoder=encoder), settings(evaluate_every=2))
    source.prepare(tasks[:3], tmp_path / "with", held=tasks[3:])
    assert set(texts) == {line for task in tasks[:3] for line in described.lines(task)} | {described.lines(tasks[3])[0]}
    losses = [json.loads(line) for line in (tmp_path / "with" / "evaluations.jsonl").read_text().splitlines()]
    assert [line["step"] for line in losses] == [2, 4, 6]
    alone = text_to_lora.Source(bench, settings(evaluate_every=2))
    alone.prepare(tasks[:3], tmp_path / "without")
    for name, value in alone.hypernet.state_dict().items():
        assert torch.equal(value, source.hypernet.state_dict()[name])


class Listening:
    def __init__(self, encoder, texts):
        self.encoder, self.texts, self.id, self.size = encoder, texts, encoder.id, encoder.size

    def __call__(self, texts):
        self.texts += texts
        return self.encoder(texts)


def test_what_cannot_be_trained_on_is_said(bench, tasks, tmp_path):
    source = text_to_lora.Source(bench, settings())
    with pytest.raises(ValueError, match="'mute' needs descriptions"):
        source.prepare([replace(tasks[0], id="mute", profile=" \n")], tmp_path / "a")
    with pytest.raises(ValueError, match="twice"):
        source.prepare([tasks[0], tasks[0]], tmp_path / "b")
    with pytest.raises(ValueError, match="'bare' has no example"):
        source.prepare([tasks[0], replace(tasks[1], id="bare", history=())], tmp_path / "c")
    with pytest.raises(RuntimeError, match="no trained network"):
        source.generate(["words"])
    with pytest.raises(ValueError, match="needs an encoder"):
        text_to_lora.Source(replace(bench, encoder=None), settings()).table(["words"])
    with pytest.raises(ValueError, match="whitened"):
        text_to_lora.NetSettings(head="additive")
    silent = replace(bench, task_of=lambda name: replace(bench.task_of(name), description=" "))
    with pytest.raises(ValueError, match="'headline' has no description"):
        text_to_lora.Source(silent, settings(tasks="named")).tasks(tasks)


def test_a_described_task_is_not_empty():
    with pytest.raises(ValueError, match="needs descriptions"):
        DescribedTask("t", (), ())
