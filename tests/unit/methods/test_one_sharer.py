"""One sharer's LoRA, lent whole: whose it is, never the user's own; PRISP begins at it."""

from dataclasses import replace

import peft
import pytest
import torch

from tailorlm.adapters.lora import joined
from tailorlm.adapters.peft_files import save_peft
from tailorlm.assembly.anchors import start_of
from tailorlm.data.records import Interaction, User
from tailorlm.methods import one_sharer, prisp
from tailorlm.methods.lora import LoraSettings
from tailorlm.methods.own_items import ItemSettings
from tailorlm.methods.sharers import SharerSettings
from tailorlm.methods.source import Start, shared_start
from tailorlm.training.many import ManySettings

LORA = LoraSettings(targets=("q_proj", "k_proj", "v_proj", "o_proj"), rank=4)
SHARERS = SharerSettings(clusters=3, lora=LORA, epochs=1, batch=8, train=ManySettings(learning_rate=5e-3))
SETTINGS = one_sharer.Settings(sharers=SHARERS, nearest=1)


@pytest.fixture(scope="module")
def bench(bench):
    return replace(bench, max_tokens=96)


@pytest.fixture(scope="module")
def few(people):
    """The people with 11 to 16 items each."""
    return [replace(user, history=user.history[: 11 + n]) for n, user in enumerate(people)]


@pytest.fixture(scope="module")
def task(bench):
    space, chance = LORA.space(bench.backbone), torch.Generator().manual_seed(1)
    tensors = {n: 0.1 * torch.randn(1, *s, generator=chance) for n, s in space.shapes().items()}
    return shared_start(one_sharer.Adapters(space, tensors))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("run")


@pytest.fixture(scope="module")
def source(bench, few, folder):
    made = one_sharer.Source(bench, SETTINGS)
    made.prepare(few, folder)
    assert len(made.lent().ids) == 3
    return made


def with_choice(source, choose):
    """The same sharers, chosen in another way."""
    made = one_sharer.Source(source.bench, replace(source.settings, choose=choose))
    made.sharers, made.chosen = source.sharers, source.chosen
    return made


def like(sharer, name):
    """A new user with the sharer's items."""
    return User(name, sharer.history)


def test_each_user_gets_the_nearest_sharers_lora_bit_by_bit(source, few):
    lent = source.lent()
    by_id = {user.id: user for user in few}
    twins = [like(by_id[id], f"twin of {id}") for id in lent.ids]
    for users in (twins, twins[::-1]):
        roster = source.enrol(users)
        assert [lent.ids[roster.place[user.id, None]] for user in users] == [user.id[8:] for user in users]
    for name, tensor in roster.adapters.tensors.items():
        assert torch.equal(tensor, lent.adapters.tensors[name])
    assert roster.shared
    alone = source.enrol(twins[:1])
    assert alone.place[twins[0].id, None] == roster.place[twins[0].id, None]


@pytest.mark.parametrize("choose", ["nearest", "most_chosen"])
def test_nobody_gets_the_own(source, few, choose):
    """A sharer's own history is the nearest to it: without the rule each would get itself."""
    made, lent = with_choice(source, choose), source.lent()
    sharers = [user for user in few if user.id in lent.ids]
    roster = made.enrol(sharers)
    assert all(lent.ids[roster.place[user.id, None]] != user.id for user in sharers)
    renamed = made.enrol([like(user, f"{user.id}-new") for user in sharers])
    if choose == "nearest":
        assert [lent.ids[place] for place in renamed.place.values()] == [user.id for user in sharers]


def test_the_most_chosen_is_one_for_all_and_its_own_sharer_gets_the_next(source, few):
    made, lent = with_choice(source, "most_chosen"), source.lent()
    assert int(source.chosen.sum()) == len(few)  # with `nearest` = 1 every training user chooses one, never itself
    order = sorted(range(3), key=lambda n: (-int(source.chosen[n]), n))
    first, second = (lent.ids[n] for n in order[:2])
    roster = made.enrol(few)
    got = {id: lent.ids[place] for (id, _), place in roster.place.items()}
    assert {other for id, other in got.items() if id != first} == {first} and got[first] == second
    nobody = User("new", ())
    assert made.enrol([nobody]).place["new", None] == order[0]


def test_of_few_sharers_all_are_chosen_but_for_themselves(bench, source, few, folder):
    made = one_sharer.Source(bench, replace(SETTINGS, nearest=9))
    made.prepare(few, folder, resume=True)
    assert made.chosen.tolist() == [5, 5, 5]  # of six users, one of them itself


def test_the_task_lora_is_carried_and_a_run_goes_on(bench, few, task, source, tmp_path):
    made = one_sharer.Source(bench, SETTINGS, task)
    made.prepare(few, tmp_path / "run")
    roster = made.enrol(few[:2])
    assert made.injector.space.rank == 8
    for name, tensor in joined(task.one(), made.lent().adapters).tensors.items():
        assert torch.equal(roster.adapters.tensors[name], tensor)
    again = one_sharer.Source(bench, SETTINGS, task)
    with pytest.raises(ValueError, match="has a run already"):
        again.prepare(few, tmp_path / "run")
    again.prepare(few, tmp_path / "run", resume=True)
    assert torch.equal(again.chosen, made.chosen)
    assert all(torch.equal(t, again.enrol(few[:2]).adapters.tensors[n]) for n, t in roster.adapters.tensors.items())


def test_prisp_begins_at_the_sharers_lora_and_is_exported(bench, few, people, source, fresh_base, tmp_path):
    users = [replace(user, history=user.history[-3:]) for user in people[:2]]
    anchors = source.enrol(users)
    for steps, moved in ((1e-30, False), (2e-2, True)):
        how = ManySettings(learning_rate=steps, weight_decay=0.0)
        settings = prisp.Settings(lora=LORA, items=ItemSettings(items=3), train=how, rates={})
        made = prisp.Source(bench, settings, start_of(source, ()))
        roster = made.enrol(users)
        for number, user in enumerate(users):
            own = anchors.adapters[anchors.place[user.id, None]]
            same = [torch.allclose(roster.adapters.tensors[n][number], t[0], atol=1e-6) for n, t in own.tensors.items()]
            assert all(same) != moved
            assert all(same[n] for n, name in enumerate(own.tensors) if name.endswith(".A"))
    save_peft(roster.adapters, [tmp_path / "0", tmp_path / "1"], bench.backbone.id, None, {"method": "prisp"})
    ids = bench.backbone.tokenizer("Write a headline: rain", return_tensors="pt")["input_ids"]
    with torch.no_grad(), made.injector(roster.adapters, torch.tensor([1])):
        ours = bench.backbone.model(ids).logits
    with torch.no_grad():
        theirs = peft.PeftModel.from_pretrained(fresh_base.model, tmp_path / "1")(ids).logits
    assert torch.allclose(ours, theirs, atol=1e-4)


def test_what_cannot_be_lent_is_said(bench, source, few):
    with pytest.raises(ValueError, match="nearest is 0"):
        one_sharer.Settings(nearest=0)
    with pytest.raises(RuntimeError, match="call prepare"):
        one_sharer.Source(bench, SETTINGS).enrol(few)
    made, lent = one_sharer.Source(bench, SETTINGS), source.lent()
    made.sharers = replace(lent, ids=lent.ids[:1], vectors=lent.vectors[:1], adapters=lent.adapters[:1])
    with pytest.raises(ValueError, match=f"user '{lent.ids[0]}' is the only sharer"):
        made.enrol([User(lent.ids[0], (Interaction("a", "b"),))])
    with pytest.raises(ValueError, match="one adapter for everybody"):
        one_sharer.Source(bench, SETTINGS, Start(source.injector.space, lambda owners: lent.adapters))
