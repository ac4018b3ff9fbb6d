"""Users of several tasks, tuned from the anchor of each task: PRISP and OPPU over Text-to-LoRA, and over P2P's own."""

from dataclasses import replace

import peft
import pytest
import torch

from tailorlm.adapters.peft_files import save_peft
from tailorlm.assembly.anchors import start_of
from tailorlm.methods import oppu, p2p, prisp, text_to_lora
from tailorlm.methods.batches import BatchSettings
from tailorlm.methods.further import TaskSettings
from tailorlm.methods.lora import LoraSettings
from tailorlm.methods.objectives import LossSettings
from tailorlm.methods.own_items import ItemSettings, item_keys
from tailorlm.methods.owners import Owner
from tailorlm.methods.source import shared_start
from tailorlm.methods.tuned import Tuned
from tailorlm.training.many import ManySettings
from tailorlm.training.settings import TrainSettings

LORA = LoraSettings(rank=4, alpha=8.0)
TASKS = ("headline", "tweet")
PLAIN = LossSettings(smoothing=0.0, neftune=0.0, l2=0.0, dropout=0.0)
TRAIN = TrainSettings(steps=6, learning_rate=2e-2, warmup=0.0, save_every=0, line_seconds=1e9)
BATCH = BatchSettings(users=8, rows=1)
MANY = ManySettings(learning_rate=2e-2, weight_decay=0.0)
BY_TASK = ItemSettings(items=3, scope="task")


@pytest.fixture(scope="module")
def bench(bench):
    """Short rows: the tiny tokenizer has a token a byte."""
    return replace(bench, max_tokens=128)


@pytest.fixture(scope="module")
def few(people):
    """Three users with some items of both tasks, of whom one has no tweets."""
    items = [[item for item in user.history if item.task in TASKS][: 6 + n] for n, user in enumerate(people[:3])]
    items[2] = [item for item in items[2] if item.task == "headline"]
    assert all(any(item.task == task for item in own) for own in items[:2] for task in TASKS)
    return [replace(user, history=tuple(own)) for user, own in zip(people, items, strict=False)]


@pytest.fixture(scope="module")
def by_task(bench, people, tmp_path_factory):
    """Text-to-LoRA: an adapter a task, shared by users."""
    net = text_to_lora.NetSettings(latent=16, head_in=24, dropout=0.0)
    source = text_to_lora.Source(bench, text_to_lora.Settings(lora=LORA, net=net, loss=PLAIN, batch=BATCH, train=TRAIN))
    source.prepare([replace(user, history=user.history[:6]) for user in people], tmp_path_factory.mktemp("run"))
    return source


@pytest.fixture(scope="module")
def of_users(bench, people, tmp_path_factory):
    """P2P in the paper's form: an adapter a user and task."""
    net = p2p.NetSettings(pool="single", head="L", latent=16, head_in=24, dropout=0.0, unit_norm=False)
    cuts = p2p.CutSettings(count=1, minimum=2, scope="task")
    settings = p2p.Settings(lora=LORA, net=net, cuts=cuts, loss=PLAIN, batch=BATCH, train=TRAIN, source="profile")
    source = p2p.Source(bench, settings)
    source.prepare([replace(user, history=user.history[:8]) for user in people], tmp_path_factory.mktemp("run"))
    return source


@pytest.fixture(params=["text_to_lora", "p2p"])
def anchors(request, by_task, of_users):
    return by_task if request.param == "text_to_lora" else of_users


def tuned(bench, anchors, **given):
    settings = prisp.Settings(**{"lora": LORA, "items": BY_TASK, "batch": 4, "train": MANY, "rates": {}, **given})
    return prisp.Source(bench, settings, start_of(anchors, TASKS))


def over(bench, anchors, **given):
    settings = oppu.Settings(**{"lora": LORA, "items": BY_TASK, "batch": 4, "train": MANY, "epochs": 1, **given})
    return oppu.Source(bench, settings, start_of(anchors, TASKS))


def close(one, two, atol=1e-6):
    return all(torch.allclose(tensor, two.tensors[name], atol=atol) for name, tensor in one.tensors.items())


def at(roster, *place):
    return roster.adapters[roster.place[place]]


def test_step_0_is_the_anchor_of_the_own_task_and_user(bench, few, anchors):
    theirs = anchors.enrol(few, TASKS)
    roster = tuned(bench, anchors, train=replace(MANY, learning_rate=1e-30)).enrol(few, TASKS)
    assert set(roster.place) == {(user.id, task) for user in few for task in TASKS}
    for place in roster.place:
        other = (place[0], TASKS[place[1] == TASKS[0]])
        assert close(at(roster, *place), at(theirs, *place))
        assert not close(at(roster, *place), at(theirs, *other), atol=1e-4)  # the negative control: swapped tasks


def test_permuted_users_and_tasks_have_the_same_adapters(bench, few, anchors):
    made = tuned(bench, anchors)
    there, back = made.enrol(few, TASKS), made.enrol(few[::-1], TASKS[::-1])
    assert list(back.place) == [(user.id, task) for user in few[::-1] for task in TASKS[::-1]]
    for place in there.place:
        assert close(at(there, *place), at(back, *place), atol=1e-5)
        moved = not close(at(there, *place), at(anchors.enrol(few, TASKS), *place), atol=1e-4)
        assert moved == (place != (few[2].id, "tweet"))  # who has no item of a task keeps that task's anchor


@pytest.mark.parametrize("make", [tuned, over])
@pytest.mark.parametrize("at_once", [64, 1])
def test_a_user_alone_equals_the_user_in_company(bench, few, anchors, make, at_once):
    together = make(bench, anchors, users_at_once=at_once).enrol(few, TASKS)
    for user in few[1:]:
        alone = make(bench, anchors).enrol([user], TASKS)
        one = make(bench, anchors).enrol([user], TASKS[1:])
        for task in TASKS:
            assert close(at(alone, user.id, task), at(together, user.id, task), atol=1e-5)
        assert close(at(one, user.id, "tweet"), at(together, user.id, "tweet"), atol=1e-5)


def test_only_items_of_the_task_are_trained_on(bench, few, by_task):
    """Others' items changed, the adapter keeps every bit; the task's own changed, it moves."""
    items = replace(BY_TASK, context="rag", options={"k": 1})
    made = tuned(bench, by_task, items=items)
    user = few[0]
    swapped = [
        replace(user, history=tuple(replace(i, output=i.output[::-1]) if i.task == task else i for i in user.history))
        for task in TASKS
    ]
    plain, headlines, tweets = (made.enrol([one], TASKS) for one in (user, *swapped))
    assert close(at(plain, user.id, "tweet"), at(headlines, user.id, "tweet"), atol=0)
    assert close(at(plain, user.id, "headline"), at(tweets, user.id, "headline"), atol=0)
    assert not close(at(plain, user.id, "headline"), at(headlines, user.id, "headline"), atol=1e-4)


@pytest.mark.parametrize("make", [tuned, over])
def test_going_on_trains_the_user_and_task_with_new_items_and_nobody_else(bench, few, people, anchors, make, tmp_path):
    made = make(bench, anchors)
    before = made.enrol(few, TASKS)
    before.tuned.save(tmp_path / "kept" / "users.pt")
    new = next(item for item in reversed(people[0].history) if item.task == "tweet")
    grown = replace(few[0], history=(*few[0].history, new))
    after = made.more(before, [grown], TASKS)
    for place in before.place:
        mine = place == (few[0].id, "tweet")
        assert close(at(before, *place), at(after, *place), atol=0) != mine
    number = after.place[few[0].id, "tweet"]
    assert after.tuned.seen[number] - before.tuned.seen[number] == {item_keys(grown.history)[-1]}
    again = make(bench, anchors).restored(few, Tuned.load(tmp_path / "kept" / "users.pt"), TASKS)
    assert again.place == before.place and close(again.adapters, before.adapters, atol=0)
    assert close(made.more(again, [grown], TASKS).adapters, after.adapters, atol=0)
    turned = made.restored(few[::-1], before.tuned, TASKS[::-1])
    assert turned.place != before.place
    assert all(close(at(turned, *place), at(before, *place), atol=0) for place in before.place)
    with pytest.raises(ValueError, match=f"not kept: none; kept and not named: {few[0].id}/{TASKS[1]}"):
        made.restored(few, before.tuned, TASKS[:1])


@pytest.mark.parametrize("make", [tuned, over])
def test_peft_loads_each_users_adapter_of_each_task(bench, few, by_task, make, fresh_base, tmp_path):
    made = make(bench, by_task)
    roster = made.enrol(few[:2], TASKS)
    folders = [tmp_path / user / task for user, task in roster.place]
    save_peft(roster.adapters, folders, bench.backbone.id, None, {"method": "prisp"})
    ids = bench.backbone.tokenizer("Write a headline: rain opens the match", return_tensors="pt")["input_ids"]
    with torch.no_grad(), made.injector(roster.adapters, torch.arange(4)):
        ours = bench.backbone.model(ids.expand(4, -1)).logits
    with torch.no_grad():
        model = peft.PeftModel.from_pretrained(fresh_base.model, folders[0], "a0")
        for number in range(1, 4):
            model.load_adapter(folders[number], f"a{number}")
        for number in range(4):
            model.set_adapter(f"a{number}")
            theirs = model(ids).logits[0]
            assert torch.allclose(theirs, ours[number], atol=1e-4)
            assert (theirs - ours[(number + 1) % 4]).abs().max() > 1e-3  # that user's of the other task is another


def test_oppu_stands_on_the_owners_own_start_and_leaves_it_as_it_is(bench, few, anchors):
    made = over(bench, anchors)
    theirs, roster = anchors.enrol(few, TASKS), made.enrol(few, TASKS)
    for place in roster.place:
        both, under = at(roster, *place).tensors, at(theirs, *place).tensors
        for name, tensor in under.items():
            assert torch.equal(both[name].narrow(2 if name.endswith(".A") else 3, 0, LORA.rank), tensor)
    plain = oppu.Source(bench, made.settings)
    with pytest.raises(ValueError, match="another start: expected a start of each one's own, found none"):
        plain.restored(few, roster.tuned, TASKS)
    alone = plain.enrol(few, TASKS).tuned
    with pytest.raises(ValueError, match="another start: expected none, found a start of each one's own"):
        made.restored(few, alone, TASKS)
    with pytest.raises(ValueError, match="trained over a start of each one's own, and this source has one for all"):
        plain.effective(roster.tuned.params, roster.tuned.fixed)
    with pytest.raises(ValueError, match="trained over one for all, or none, and this source has a start of each"):
        made.effective(alone.params, alone.fixed)


def test_one_task_is_one_start_for_all_and_several_need_an_adapter_a_task(bench, few, by_task):
    one = start_of(by_task, TASKS[:1])
    assert len(one.one()) == 1 and close(one.one(), by_task.enrol(few, TASKS[:1]).adapters)
    everything = replace(BY_TASK, scope="all")
    made = prisp.Source(bench, prisp.Settings(lora=LORA, items=everything, train=MANY, rates={}), one)
    assert set(made.enrol(few, TASKS[:1]).place) == {(user.id, None) for user in few}
    with pytest.raises(ValueError, match=f"user '{few[0].id}' has 2 adapters to begin at.*items.scope"):
        tuned(bench, by_task, items=everything).enrol(few, TASKS)
    assert start_of(by_task, TASKS).of([Owner(few[0], "tweet")]).tensors["q_proj.A"].shape[0] == 1


def further(bench, begin, users, folder, **given):
    """The anchor as task data leave it."""
    task = TaskSettings(**{"data": "all", "epochs": 1, "train": ManySettings(learning_rate=1e-2), **given})
    made = prisp.Source(bench, prisp.Settings(lora=LORA, task=task, train=MANY, rates={}), begin)
    made.prepare(users, folder)
    assert made.start.task == begin.task
    return made.start.one()


def test_a_tasks_anchor_is_trained_further_on_that_tasks_items_alone(bench, few, by_task, tmp_path):
    """Others' items changed or gone, it keeps every bit; one LoRA for all tasks learns from all of them."""
    begin = start_of(by_task, TASKS[:1])
    assert begin.task == TASKS[0] == "headline"
    turned = {
        task: [
            replace(u, history=tuple(replace(i, output=i.output[::-1]) if i.task == task else i for i in u.history))
            for u in few
        ]
        for task in TASKS
    }
    plain = further(bench, begin, few, tmp_path / "plain")
    assert close(plain, further(bench, begin, turned["tweet"], tmp_path / "tweets"), atol=0)
    assert not close(plain, further(bench, begin, turned["headline"], tmp_path / "headlines"), atol=1e-4)
    shared = shared_start(begin.one())
    everything = further(bench, shared, few, tmp_path / "all")
    assert not close(everything, further(bench, shared, turned["tweet"], tmp_path / "other"), atol=1e-4)


def test_so_many_task_data_are_drawn_from_the_tasks_own(bench, few, by_task, tmp_path):
    begin = start_of(by_task, TASKS[:1])
    count = sum(item.task == TASKS[0] for user in few for item in user.history)
    assert not close(further(bench, begin, few, tmp_path / "some", data=count), begin.one(), atol=1e-4)
    with pytest.raises(ValueError, match=f"task_data = {count + 1}: there are {count} rows"):
        further(bench, begin, few, tmp_path / "more", data=count + 1)
    without = [replace(u, history=tuple(i for i in u.history if i.task != TASKS[0])) for u in few]
    with pytest.raises(ValueError, match="no item of task 'headline' makes a row to train the anchor on"):
        further(bench, begin, without, tmp_path / "none")
    with pytest.raises(ValueError, match="no item makes a row to train the anchor on"):
        further(bench, shared_start(begin.one()), [], tmp_path / "nobody")
    with pytest.raises(ValueError, match="one for each user or task: evaluate one task at a time"):
        further(bench, start_of(by_task, TASKS), few, tmp_path / "several")
