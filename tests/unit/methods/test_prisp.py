"""PRISP on a tiny base: its start, what stays frozen, company, exports that PEFT loads, going on, task data."""

import tomllib
from dataclasses import replace

import peft
import pytest
import torch

from tailorlm import recipe
from tailorlm.adapters.batch import Adapters
from tailorlm.adapters.peft_files import save_peft
from tailorlm.assembly.recipes import plain
from tailorlm.data.records import Interaction
from tailorlm.methods import bridge, prisp
from tailorlm.methods.further import TaskSettings
from tailorlm.methods.lora import LoraSettings
from tailorlm.methods.own_items import ItemSettings, item_keys
from tailorlm.methods.source import Start, shared_start
from tailorlm.methods.tuned import Tuned
from tailorlm.training.many import ManySettings

LORA = LoraSettings(rank=4, alpha=8.0)
ITEMS = ItemSettings(items=3, context="rag_pag", options={"k": 1})
TRAIN = ManySettings(learning_rate=2e-2, weight_decay=0.0)
VARIANTS = ("B+C", "B", "C", "full")
PARTS = [(begin, train) for begin in ("anchor", "pissa", "lora_ga") for train in ("B+C", "full")]


def settings(**given):
    return prisp.Settings(**{"lora": LORA, "items": ITEMS, "batch": 4, "train": TRAIN, **given})


def lora(bench, users, seed=5):
    space = LORA.space(bench.backbone)
    generator = torch.Generator().manual_seed(seed)
    tensors = {n: 0.3 * torch.randn(users, *shape, generator=generator) for n, shape in space.shapes().items()}
    return Adapters(space, tensors)


def start_at(given):
    """Adapters of the owners who are asked for, in their order."""
    return Start(given.space, lambda owners: given)


@pytest.fixture(scope="module")
def anchor(bench):
    return lora(bench, 1)


@pytest.fixture(scope="module")
def few(people):
    """Three users with 1, 3 and 5 items, and one without any."""
    return [replace(user, history=own(user)[:n]) for n, user in zip((1, 3, 5, 0), people, strict=False)]


def own(user):
    """The user's short items."""
    return tuple(item for item in user.history if item.task in ("headline", "tweet"))


@pytest.fixture(scope="module")
def bench(bench):
    """Short rows: the tiny tokenizer has a token a byte."""
    return replace(bench, max_tokens=128)


def source(bench, anchor, **given):
    begin = given.get("begin", "anchor")
    return prisp.Source(bench, settings(**given), shared_start(anchor) if begin == "anchor" else None)


def logits(bench, made, adapters, index, text="Write a headline: rain opens the match"):
    ids = bench.backbone.tokenizer(text, return_tensors="pt")["input_ids"].expand(len(index), -1)
    with torch.no_grad(), made.injector(adapters, torch.tensor(index)):
        return bench.backbone.model(ids).logits


@pytest.mark.parametrize("train", VARIANTS)
def test_before_training_it_is_the_anchor(bench, people, anchor, train):
    empty = [replace(user, history=()) for user in people[:2]]
    for given, wanted in ((anchor, [0, 0]), (lora(bench, 2), [0, 1])):
        made = prisp.Source(bench, settings(train_parts=train), start_at(given))
        roster = made.enrol(empty)
        for name, tensor in roster.adapters.tensors.items():
            assert torch.allclose(tensor, given.tensors[name][wanted], atol=1e-6)


@pytest.mark.parametrize("train", VARIANTS)
def test_what_the_variant_freezes_keeps_every_bit_and_the_rest_moves(bench, few, anchor, train):
    roster = source(bench, anchor, train_parts=train).enrol(few)
    trained, frozen = bridge.parts(anchor, len(few), train, LORA.scaling, False)
    assert set(roster.tuned.params) == set(trained) and set(roster.tuned.fixed) == set(frozen)
    for name, start in frozen.items():
        assert torch.equal(roster.tuned.fixed[name], start)
    for name, start in trained.items():
        moved = (roster.tuned.params[name] - start).flatten(1).abs().amax(1)
        assert (moved[:3] > 1e-3).all() and moved[3] == 0
    if train != "full":
        for name, tensor in roster.adapters.tensors.items():
            if name.endswith(".A"):
                assert torch.equal(tensor, anchor.tensors[name].expand_as(tensor))


@pytest.mark.parametrize(
    ("begin", "train"), [("anchor", "B+C"), ("anchor", "full"), ("pissa", "full"), ("lora_ga", "B+C")]
)
def test_a_user_alone_equals_the_user_in_company(bench, few, anchor, begin, train):
    # LoRA-GA's A has gradients of nothing but rounding, which AdamW makes steps of where epsilon is smaller still.
    how = replace(TRAIN, epsilon=1e-3) if begin == "lora_ga" else TRAIN
    made = source(bench, anchor, begin=begin, train_parts=train, train=how)
    together = made.enrol(few)
    for number in (0, 2):
        alone = made.enrol([few[number]])
        for name, tensor in alone.adapters.tensors.items():
            assert torch.allclose(tensor[0], together.adapters.tensors[name][number], atol=1e-5)


def test_changed_neighbours_of_equal_shapes_leave_every_bit(bench, few, anchor):
    made = source(bench, anchor)

    def other(item):
        swapped = item.output[::-1] if item.task in ("headline", "tweet") else item.output
        return Interaction(item.input[:-2] + item.input[-1] + item.input[-2], swapped, item.time, item.task)

    plain = replace(made.settings, items=ItemSettings(items=3))
    made = prisp.Source(bench, plain, shared_start(anchor))
    changed = [few[0], replace(few[1], history=tuple(map(other, few[1].history))), few[2]]
    one, two = made.enrol(few[:3]), made.enrol(changed)
    for name, tensor in one.adapters.tensors.items():
        assert torch.equal(tensor[[0, 2]], two.adapters.tensors[name][[0, 2]])
        if name.endswith(".B"):
            assert not torch.equal(tensor[1], two.adapters.tensors[name][1])


@pytest.mark.parametrize(("begin", "train"), [*PARTS, ("anchor", "C"), ("pissa", "B")])
def test_peft_loads_the_export_on_the_plain_base(bench, few, anchor, begin, train, fresh_base, tmp_path):
    made = source(bench, anchor, begin=begin, train_parts=train)
    roster = made.enrol(few[:3])
    folders = [tmp_path / str(number) for number in range(3)]
    save_peft(roster.adapters, folders, bench.backbone.id, None, {"method": "prisp"})
    text = "Write a headline: rain opens the match"
    ours = logits(bench, made, roster.adapters, [0, 1, 2], text)
    ids = bench.backbone.tokenizer(text, return_tensors="pt")["input_ids"]
    with torch.no_grad():
        base = fresh_base.model(ids).logits[0]
        model = peft.PeftModel.from_pretrained(fresh_base.model, folders[0], "u0")
        for number in (1, 2):
            model.load_adapter(folders[number], f"u{number}")
        for number in range(3):
            model.set_adapter(f"u{number}")
            theirs = model(ids).logits[0]
            assert (theirs - base).abs().max() > 0.02
            assert torch.allclose(theirs, ours[number], atol=1e-4)
            assert (theirs - ours[(number + 1) % 3]).abs().max() > 1e-3  # the neighbour's is another


@pytest.mark.parametrize("begin", ["pissa", "lora_ga", "fresh"])
@pytest.mark.parametrize("train", ["B+C", "full"])
def test_what_is_made_here_begins_at_the_plain_base(bench, few, begin, train):
    made = source(bench, None, begin=begin, train_parts=train)
    empty = [replace(few[0], history=())]
    base = logits(bench, made, None, [-1])
    assert torch.allclose(logits(bench, made, made.enrol(empty).adapters, [0]), base, atol=1e-4)
    assert not torch.allclose(logits(bench, made, made.enrol(few[:1]).adapters, [0]), base, atol=1e-3)


def test_lora_ga_begins_at_the_users_own_gradients(bench, few):
    made = source(bench, None, begin="lora_ga", train_parts="full")
    fixed = made.enrol(few[:3]).tuned.fixed
    assert not torch.allclose(fixed["q_proj.A0"][0], fixed["q_proj.A0"][1], atol=1e-3)
    assert made.space.rank == 8


def grown(few, people, number, items):
    """`few` with more of one user's own items."""
    count = len(few[number].history) + items
    return [replace(u, history=own(people[n])[:count]) if n == number else u for n, u in enumerate(few)]


@pytest.mark.parametrize("begin", ["anchor", "fresh", "pissa", "lora_ga"])
@pytest.mark.parametrize("train", ["B+C", "full"])
def test_first_items_that_come_later_train_as_if_they_had_been_there(bench, few, anchor, begin, train):
    made = source(bench, anchor, begin=begin, train_parts=train, train=replace(TRAIN, epsilon=1e-3))
    before = made.enrol([few[0], replace(few[1], history=())])
    after = made.more(before, [few[1]])
    assert not after.tuned.untrained and before.tuned.untrained == {(few[1].id, None)}
    together, place = made.enrol(few[:2]), after.place[few[1].id, None]
    for name, tensor in after.adapters.tensors.items():
        assert torch.equal(tensor[after.place[few[0].id, None]], before.adapters.tensors[name][0])
        assert torch.allclose(tensor[place], together.adapters.tensors[name][1], atol=1e-5), name


@pytest.mark.parametrize(("begin", "train"), [("anchor", "B+C"), ("pissa", "full")])
def test_new_items_train_their_user_on_those_alone_and_nobody_else(bench, few, people, anchor, begin, train):
    # AdamW makes steps of gradients that are nothing but rounding, unless epsilon is above them.
    made = source(bench, anchor, begin=begin, train_parts=train, train=replace(TRAIN, epsilon=1e-3))
    before = made.enrol(few)
    assert made.more(before, few).adapters.tensors.keys() == before.adapters.tensors.keys()
    more = grown(few, people, 1, 2)
    after = made.more(before, more)
    for old, new in ((before.adapters.tensors, after.adapters.tensors), (before.tuned.params, after.tuned.params)):
        for name, tensor in old.items():
            assert torch.equal(tensor[[0, 2, 3]], new[name][[0, 2, 3]])
        assert any(not torch.equal(tensor[1], new[name][1]) for name, tensor in old.items())
    assert after.tuned.seen[1] - before.tuned.seen[1] == set(item_keys(more[1].history)[-2:])
    assert after.tuned.seen[0] == before.tuned.seen[0]
    again = made.more(after, more)
    assert all(torch.equal(t, again.adapters.tensors[n]) for n, t in after.adapters.tensors.items())
    alone = made.more(made.enrol(few[1:2]), more[1:2])
    for name, tensor in alone.adapters.tensors.items():
        assert torch.allclose(tensor[0], after.adapters.tensors[name][1], atol=1e-5)


def test_going_on_needs_an_enrolled_user_and_what_was_kept(bench, few, people, anchor):
    made = source(bench, anchor)
    roster = made.enrol(few[:1])
    with pytest.raises(ValueError, match=f"{people[1].id}.*enrol the user first"):
        made.more(roster, few[:2])
    with pytest.raises(ValueError, match="nothing to go on from"):
        made.more(replace(roster, tuned=None), few[:1])


def test_a_stored_state_goes_on_as_if_it_had_not_been_stored(bench, few, people, anchor, tmp_path):
    made = source(bench, anchor)
    roster = made.enrol(few)
    roster.tuned.save(tmp_path / "kept" / "users.pt")
    loaded = Tuned.load(tmp_path / "kept" / "users.pt")
    again = made.restored(few, loaded)
    more = grown(few, people, 2, 3)
    one, two = made.more(roster, more), made.more(again, more)
    assert all(torch.equal(t, two.adapters.tensors[n]) for n, t in one.adapters.tensors.items())
    assert (tmp_path / "kept").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "kept" / "users.pt").stat().st_size < 40 * sum(t.numel() for t in loaded.params.values())


def test_a_stopped_enrolment_goes_on_exactly(bench, few, anchor, tmp_path):
    made = source(bench, anchor, users_at_once=2)
    whole = made.enrol(few)
    calls = []

    def stop(step, grads):
        calls.append(step)
        if len(calls) == 2:
            raise RuntimeError("killed")

    with pytest.raises(RuntimeError, match="killed"):
        made.enrol(few, directory=tmp_path, observe=stop)
    again = made.enrol(few, directory=tmp_path)
    assert all(torch.equal(t, again.adapters.tensors[n]) for n, t in whole.adapters.tensors.items())
    assert {path.name for path in tmp_path.iterdir()} == {"users-000000.pt", "users-000002.pt"}


def test_users_at_once_changes_nothing(bench, few, anchor):
    one, two = source(bench, anchor).enrol(few), source(bench, anchor, users_at_once=1).enrol(few)
    for name, tensor in one.adapters.tensors.items():
        assert torch.allclose(tensor, two.adapters.tensors[name], atol=1e-5)
    assert one.tuned.seen == two.tuned.seen and one.place == two.place


def test_gradient_norms_by_layer_are_observed(bench, few, anchor):
    found = []
    source(bench, anchor, batch=1).enrol(few, observe=lambda step, grads: found.append(bridge.layer_norms(grads)))
    assert found[0]["q_proj.B"].shape == found[0]["v_proj.C"].shape == (4, 2)
    assert len(found) == 6 and all((norms["q_proj.B"][3] == 0).all() for norms in found)
    assert (found[0]["q_proj.B"][:3] > 0).all()


def test_task_data_trains_the_anchor_for_all_users(bench, people, few, anchor, tmp_path):
    given = {"task": TaskSettings(data=6, epochs=1, train=ManySettings(learning_rate=1e-2))}
    made = source(bench, anchor, **given)
    others = [replace(user, history=own(user)[:4]) for user in people[3:]]
    made.prepare(others, tmp_path / "run")
    now = made.start.one()
    assert any(not torch.allclose(t, anchor.tensors[n], atol=1e-3) for n, t in now.tensors.items())
    kept = made.enrol([replace(few[0], history=())]).adapters
    assert all(torch.allclose(kept.tensors[n], t, atol=1e-6) for n, t in now.tensors.items())
    again = source(bench, anchor, **given)
    with pytest.raises(ValueError, match="has a run already"):
        again.prepare(others, tmp_path / "run")
    again.prepare(others, tmp_path / "run", resume=True)
    assert all(torch.equal(t, again.start.one().tensors[n]) for n, t in now.tensors.items())
    assert prisp.needs(made.settings).task_data and not prisp.needs(settings()).task_data
    dropped = source(bench, anchor, task=replace(given["task"], dropout=0.2))
    dropped.prepare(others, tmp_path / "dropped")
    assert any(not torch.allclose(t, dropped.start.one().tensors[n], atol=1e-4) for n, t in now.tensors.items())
    with pytest.raises(ValueError, match="dropout is 1.5"):
        TaskSettings(dropout=1.5)
    for wrong, said in (({"epochs": 0}, "epochs is 0"), ({"batch": 0}, "batch 0"), ({"data": -1}, "data is -1")):
        with pytest.raises(ValueError, match=said):
            TaskSettings(**wrong)


def test_all_task_data_is_more_than_some_and_none_leaves_the_anchor(bench, people, anchor, tmp_path):
    made = source(bench, anchor)
    made.prepare(people[3:], tmp_path / "none")
    assert made.start.one() is anchor and not (tmp_path / "none").exists()
    fresh = prisp.Source(bench, settings(begin="fresh", task=TaskSettings(data="all", epochs=1)), None)
    fresh.prepare([replace(people[3], history=own(people[3])[:4])], tmp_path / "all")
    assert all(t.any() for t in fresh.start.one().tensors.values())
    with pytest.raises(ValueError, match="task_data = 9999"):
        source(bench, anchor, task=TaskSettings(data=9999)).prepare(people[3:], tmp_path / "many")


def test_settings_are_a_recipes(bench, anchor):
    """What a run's folder keeps of them reads back as the same."""
    kept = tomllib.loads(recipe.dump(plain(settings(task=TaskSettings(data="all")))))
    assert recipe.settings(prisp.Settings, kept) == settings(task=TaskSettings(data="all"))
    assert prisp.Settings().items == ItemSettings(items=10, context="rag_pag")
    assert prisp.Settings().items.filled().k == 1


def test_tasks_have_adapters_of_their_own(bench, people, anchor, queries):
    made = source(bench, anchor, items=replace(ITEMS, scope="task"))
    roster = made.enrol(people[:2], ("headline", "tweet"))
    assert set(roster.place) == {(u.id, t) for u in people[:2] for t in ("headline", "tweet")}
    asked = [replace(queries[0], task="tweet"), replace(queries[1], task="headline")]
    _, index = made.adapters(asked, roster)
    assert index.tolist() == [1, 2]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda bench, anchor: prisp.Source(bench, settings()), "none was given"),
        (lambda bench, anchor: prisp.Source(bench, settings(begin="pissa"), shared_start(anchor)), "one was given"),
        (lambda bench, anchor: settings(begin="lora_ga", task=TaskSettings(data="all")), "no anchor to train"),
        (lambda bench, anchor: settings(users_at_once=0), "users_at_once is 0"),
        (lambda bench, anchor: source(bench, anchor).enrol([]), "nobody to train"),
        (
            lambda bench, anchor: source(bench, anchor, lora=LoraSettings(rank=3)).tuning().begin([], None),
            r"the anchor is lora of rank 4 at .*; the settings' lora is lora of rank 3",
        ),
        (
            lambda bench, anchor: prisp.Source(
                bench, settings(task=TaskSettings(data=1)), start_at(lora(bench, 2))
            ).prepare([], None),
            "begins at one adapter for everybody",
        ),
    ],
)
def test_what_cannot_work_is_refused(bench, anchor, make, message):
    with pytest.raises(ValueError, match=message):
        make(bench, anchor)
