"""Items one by one: a new item is encoded alone, a deleted one leaves no trace, the adapter is the whole history's."""

from dataclasses import replace

import pytest
import torch

from tailorlm.data.records import User
from tailorlm.methods import p2p
from tailorlm.methods.p2p_continual import add_items, enrol_items
from tailorlm.methods.p2p_items import ItemVectors, added, digest, padded
from tailorlm.profiles.cache import CachedEncoder
from tailorlm.training.settings import TrainSettings

TRAIN = TrainSettings(steps=4, learning_rate=1e-2, warmup=0.0, save_every=0, line_seconds=1e9)


class Counting:
    """An encoder that says what it was asked for."""

    def __init__(self, encoder):
        self.encoder, self.id, self.size, self.calls = encoder, encoder.id, encoder.size, []

    def __call__(self, texts):
        self.calls.append(list(texts))
        return self.encoder(texts)


def make(bench, scope="all"):
    net = p2p.NetSettings(pool="attention", head="L", latent=16, head_in=24, dropout=0.0)
    cuts = p2p.CutSettings(count=1, scope=scope)
    return p2p.Source(bench, p2p.Settings(net=net, cuts=cuts, train=TRAIN, source="history"))


@pytest.fixture(scope="module")
def counted(bench, people, tmp_path_factory):
    encoder = Counting(bench.encoder)
    source = make(replace(bench, encoder=encoder))
    source.prepare(people, tmp_path_factory.mktemp("run"))
    return source, encoder


def close(one, other):
    return all(torch.allclose(t, other.tensors[name], atol=1e-5) for name, t in one.tensors.items())


def test_a_new_item_is_the_only_one_that_is_encoded(counted, people):
    source, encoder = counted
    early = [replace(user, history=user.history[:-1]) for user in people[:3]]
    kept = add_items(source, {}, early)
    encoder.calls.clear()
    new = people[1].history[-1]
    after = add_items(source, kept, [User(people[1].id, (new,))])
    assert encoder.calls == [[source.inputs.shown(new)]]
    encoder.calls.clear()
    roster = enrol_items(source, after)
    assert encoder.calls == [], "adapters are made of vectors alone"
    place = (people[1].id, None)
    assert len(after[place]) == len(kept[place]) + 1
    assert torch.equal(after[place].vectors[:-1], kept[place].vectors)
    assert all(after[key] is kept[key] for key in kept if key != place)
    before = enrol_items(source, kept).adapters
    moved = [not close(before[n], roster.adapters[n]) for n in range(3)]
    assert moved == [False, True, False]
    whole = source.enrol([early[0], people[1], early[2]])
    assert whole.place == roster.place and close(whole.adapters, roster.adapters)


def test_a_deleted_item_leaves_no_trace(counted, people):
    source, encoder = counted
    user = people[0]
    kept = add_items(source, {}, [user])
    encoder.calls.clear()
    text = source.inputs.shown(user.history[4])
    less = {(user.id, None): kept[user.id, None].without(text)}
    assert encoder.calls == [] and digest(text) not in less[user.id, None].digests
    rest = replace(user, history=(*user.history[:4], *user.history[5:]))
    assert close(enrol_items(source, less).adapters, source.enrol([rest]).adapters)
    assert not close(enrol_items(source, less).adapters, enrol_items(source, kept).adapters)
    with pytest.raises(ValueError, match="none of the .* items has the digest"):
        less[user.id, None].without(text)


def test_a_cache_forgets_a_users_items(bench, people, tmp_path):
    cached = CachedEncoder(bench.encoder, tmp_path)
    source = make(replace(bench, encoder=cached))
    kept = add_items(source, {}, people[:2])
    texts = [{source.inputs.shown(item) for item in user.history} for user in people[:2]]
    assert len(cached) == len(texts[0] | texts[1])
    assert cached.forget_user(people[0].id) == len(texts[0] - texts[1])
    assert len(cached) == len(texts[1]) and len(kept) == 2


def test_only_the_newest_of_equal_items_goes(bench):
    kept = added({}, {"u": ["a", "b", "a"]}, bench.encoder)["u"]
    less = kept.without("a")
    assert less.digests == (digest("a"), digest("b")) and torch.equal(less.vectors, kept.vectors[:2])


def test_a_user_without_items_is_told_nothing(counted, people):
    source, _ = counted
    kept = add_items(source, {}, [User("new", ()), people[0]])
    roster = enrol_items(source, kept)
    assert close(roster.adapters, source.enrol([User("new", ()), people[0]]).adapters)


def test_equal_new_texts_are_encoded_once_and_kept_each(bench):
    encoder = Counting(bench.encoder)
    kept = added({}, {"u": ["a", "a"], "v": ["a"]}, encoder)
    assert encoder.calls == [["a"]] and len(kept["u"]) == 2 and len(kept["v"]) == 1
    assert added(kept, {}, encoder) == kept and len(encoder.calls) == 1
    vectors, mask = padded([kept["u"], kept["v"]])
    assert vectors.shape == (2, 2, encoder.size) and mask.tolist() == [[True, True], [True, False]]
    assert not vectors[1, 1].any()
    with pytest.raises(ValueError, match="no users"):
        padded([])


def test_items_go_to_their_task(bench, people, tmp_path):
    source = make(bench, "task")
    source.prepare(people[:3], tmp_path / "run")
    tasks = ["headline", "rating"]
    kept = add_items(source, {}, people[:1], tasks)
    counts = {task: sum(item.task == task for item in people[0].history) for task in tasks}
    assert {task: len(items) for (_, task), items in kept.items()} == counts
    assert close(enrol_items(source, kept).adapters, source.enrol(people[:1], tasks).adapters)


def test_other_sources_do_not_take_items_one_by_one(bench, people):
    source = p2p.Source(bench, p2p.Settings())
    with pytest.raises(ValueError, match='source is "profile\\+items" and net.pool "facets": items one by one need'):
        add_items(source, {}, people)
    with pytest.raises(ValueError, match="one by one need"):
        enrol_items(source, {("u", None): ItemVectors((), torch.zeros(0, 24))})
