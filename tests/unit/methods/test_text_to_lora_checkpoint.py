"""Text-to-LoRA from a network that was trained before, and from other descriptions: what is refused, what differs."""

import copy
from dataclasses import replace

import pytest
import torch

from tailorlm import recipe
from tailorlm.assembly.anchors import start_of
from tailorlm.assembly.recipes import plain
from tailorlm.data.records import Interaction, User
from tailorlm.hypernet.config import BadCheckpoint
from tailorlm.methods import prisp, text_to_lora
from tailorlm.methods.batches import BatchSettings
from tailorlm.methods.lora import LoraSettings
from tailorlm.methods.objectives import LossSettings
from tailorlm.methods.own_items import ItemSettings
from tailorlm.methods.source import shared_start
from tailorlm.training.many import ManySettings
from tailorlm.training.settings import TrainSettings

LORA = LoraSettings(rank=4, alpha=8.0)
TRAIN = TrainSettings(steps=5, learning_rate=2e-2, warmup=0.0, save_every=0, line_seconds=1e9)
PLAIN = LossSettings(smoothing=0.0, neftune=0.0, l2=0.0, dropout=0.0)


def settings(pool="single", **given):
    net = text_to_lora.NetSettings(pool=pool, latent=16, head_in=24, dropout=0.0, components=3)
    defaults = {"tasks": "users", "lora": LORA, "net": net, "loss": PLAIN, "batch": BatchSettings(users=6, rows=1)}
    return text_to_lora.Settings(**{**defaults, "train": TRAIN, **given})


@pytest.fixture(scope="module")
def bench(bench):
    return replace(bench, max_tokens=128)


@pytest.fixture(scope="module")
def tasks():
    """Tasks told in words, as a file has them."""
    return [
        User(name, tuple(Interaction(f"Write: {n} opens", f"{n}{mark}", None, "headline") for n in ("rain", "snow")),
             f"write {name} with {mark}")
        for name, mark in (("loud", "!"), ("asking", "?"), ("plain", "."))
    ]  # fmt: skip


@pytest.fixture(scope="module", params=["single", "facets"])
def trained(request, bench, tasks, tmp_path_factory):
    """(source, its checkpoint, the pool)"""
    folder = tmp_path_factory.mktemp("run") / "t2l"
    source = text_to_lora.Source(bench, settings(request.param))
    source.prepare(tasks, folder)
    return source, folder / "checkpoint", request.param


def again(bench, trained, **given):
    _, folder, pool = trained
    return text_to_lora.Source(bench, settings(pool, **{"checkpoint": str(folder), **given}))


def same(one, two, atol=1e-6):
    return all(torch.allclose(tensor, two.tensors[name], atol=atol) for name, tensor in one.tensors.items())


def test_a_checkpoint_is_the_network_that_was_trained_and_nothing_is_trained(bench, trained, tmp_path):
    source = again(bench, trained)
    source.prepare([], tmp_path / "nothing")
    assert not (tmp_path / "nothing").exists()
    said = ["write it loud", "another sentence"]
    assert same(source.generate(said), trained[0].generate(said))
    assert not same(trained[0].generate(said[:1]), trained[0].generate(said[1:]), atol=1e-4)


def changed(bench):
    """The bench with one weight of its base moved."""
    model = copy.deepcopy(bench.backbone.model)
    next(model.parameters()).flatten()[0] += 0.5
    return replace(bench, backbone=replace(bench.backbone, model=model))


def test_another_base_encoder_lora_or_pool_is_refused(bench, trained, tmp_path):
    def load(bench, **given):
        source = again(bench, trained, **given)
        source.prepare([], tmp_path / "nothing")

    with pytest.raises(BadCheckpoint, match=r"with weights of fingerprint \w+; tiny has \w+"):
        load(changed(bench))
    with pytest.raises(BadCheckpoint, match="encoder_id: expected 'hash', found 'other'"):
        load(replace(bench, encoder=replace(bench.encoder, id="other")))
    with pytest.raises(BadCheckpoint, match="space: expected"):
        load(bench, lora=LoraSettings(rank=2, alpha=8.0))
    pool = {"single": "facets", "facets": "single"}[trained[2]]
    with pytest.raises(BadCheckpoint, match="facets: expected"):
        load(bench, net=text_to_lora.NetSettings(pool=pool))
    with pytest.raises(ValueError, match=r"checkpoint .*/nowhere: no such folder"):
        load(bench, checkpoint=str(tmp_path / "nowhere"))
    with pytest.raises(BadCheckpoint, match=r"no config\.json"):
        load(bench, checkpoint=str(tmp_path))
    with pytest.raises(ValueError, match="the bench has none"):
        load(replace(bench, encoder=None))
    with pytest.raises(ValueError, match="so it begins at nothing else"):
        text_to_lora.Source(bench, again(bench, trained).settings, shared_start(trained[0].generate(["a sentence"])))


def test_other_descriptions_give_other_adapters_to_their_tasks_alone(bench, trained, people):
    plain_source = again(bench, trained)
    told = again(bench, trained, descriptions={"headline": "Say what happened, loudly."})
    for source in (plain_source, told):
        source.prepare([], None)
    asked = ("headline", "rating")
    theirs, ours = plain_source.enrol(people[:2], asked), told.enrol(people[:2], asked)
    assert theirs.place == ours.place
    assert not same(theirs.adapters[0], ours.adapters[0], atol=1e-4)
    assert same(theirs.adapters[1], ours.adapters[1])
    assert same(ours.adapters[0], trained[0].generate(["Say what happened, loudly."]))
    assert same(told.of_all(asked[:1]), ours.adapters[0]) and told.of_all(asked) is None


def test_prisp_begins_at_each_description_s_anchor_and_moves_from_there(bench, trained, people):
    """Figure 8: stage 1 is what the description makes, stage 2 continues from it."""
    users = [replace(people[0], history=tuple(i for i in people[0].history if i.task == "headline")[:3])]
    for said in ("Write a headline.", "Films are told apart by what people like."):
        anchor = again(bench, trained, descriptions={"headline": said})
        anchor.prepare([], None)
        stage_1 = anchor.enrol(users, ("headline",)).adapters
        assert same(stage_1, trained[0].generate([said]))
        for rate, moved in ((1e-30, False), (2e-2, True)):
            how = ManySettings(learning_rate=rate, weight_decay=0.0)
            given = prisp.Settings(lora=LORA, items=ItemSettings(items=3), train=how, rates={})
            stage_2 = prisp.Source(bench, given, start_of(anchor, ("headline",))).enrol(users, ("headline",))
            assert same(stage_1, stage_2.adapters) != moved


def test_named_tasks_are_trained_on_in_the_given_words(bench, people):
    source = text_to_lora.Source(bench, settings(tasks="named", descriptions={"headline": "In these words."}))
    found = {task.name: task.descriptions for task in source.tasks(people[:2])}
    assert found["headline"] == ("In these words.",)
    assert found["rating"] == (bench.task_of("rating").description,)


def test_a_description_of_nothing_and_of_no_task_is_refused(bench, trained, people):
    with pytest.raises(ValueError, match="descriptions has nothing for task 'headline'"):
        settings(descriptions={"headline": " "})
    source = again(bench, trained, descriptions={"headlines": "Typed wrongly."})
    source.prepare([], None)
    with pytest.raises(ValueError, match="descriptions has a task 'headlines', and there is no such task"):
        source.enrol(people[:1], ("headline",))
    own = again(bench, trained, descriptions={"my own": "A task of the data's own."})
    own.prepare([], None)
    assert len(own.enrol(people[:1], ("headline", "my own")).adapters) == 2


def test_settings_are_a_recipes():
    given = settings(checkpoint="runs/a/checkpoint", descriptions={"lamp_2m": "Tag films."})
    assert recipe.settings(text_to_lora.Settings, plain(given)) == given
