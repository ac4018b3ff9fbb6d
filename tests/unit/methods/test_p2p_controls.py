"""Wrong profiles are what they say: no own profile kept, the right task, the same words, the mean; all seeded."""

from collections import Counter
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tailorlm.methods import p2p
from tailorlm.methods.asking import Asked
from tailorlm.methods.p2p_controls import (
    across_tasks,
    deranged,
    drawn,
    lent,
    mean_vectors,
    shuffled,
    words_shuffled,
)
from tailorlm.profiles.profile import Profile, Statement
from tailorlm.training.settings import TrainSettings

TASKS = ("headline", "rating", "tweet")


def said(user, task=None):
    text = f"{user} likes {task} very much indeed."
    return Profile(user, task, (Statement("a", text), Statement("b", f"Often {user}, never dull.")), "t")


def crowd(users=7, tasks=(None,), name="u"):
    return [said(f"{name}{n}", task) for n in range(users) for task in tasks]


def speaker(profile):
    """Whose words they are, and of which task."""
    words = profile.statements[0].text.split()
    return words[0], None if words[2] == "None" else words[2]


def named(profiles):
    return [(profile.user_id, profile.task) for profile in profiles]


@pytest.mark.parametrize("tasks", [(None,), TASKS])
@pytest.mark.parametrize("seed", range(5))
def test_shuffled_profiles_keep_the_task_and_nobodys_own(tasks, seed):
    whole = crowd(6, tasks)
    mixed = shuffled(whole, seed)
    assert named(mixed) == named(whole)
    assert Counter(map(speaker, mixed)) == Counter(map(speaker, whole)), "a permutation"
    assert all(speaker(p)[0] != p.user_id and speaker(p)[1] == p.task for p in mixed)
    assert mixed == shuffled(whole, seed) and any(shuffled(whole, other) != mixed for other in range(5, 15))


@given(st.lists(st.integers(0, 5), min_size=1, max_size=40), st.integers(0, 99))
@settings(max_examples=60, deadline=None)
def test_a_derangement_exists_exactly_where_nobody_has_more_than_half(owners, seed):
    if 2 * max(Counter(owners).values()) > len(owners):
        with pytest.raises(ValueError, match="are of one user or one task: they cannot all go to another"):
            deranged(owners, seed)
        return
    order = deranged(owners, seed)
    assert sorted(order) == list(range(len(owners)))
    assert all(owners[n] != owners[other] for n, other in enumerate(order))


@pytest.mark.parametrize(
    ("users", "tasks"), [(2, TASKS[:2]), (3, TASKS), (8, TASKS), (20, (*TASKS, "plain", "x", "y"))]
)
@pytest.mark.parametrize("seed", range(4))
def test_across_tasks_both_user_and_task_are_others(users, tasks, seed):
    whole = crowd(users, tasks)
    mixed = across_tasks(whole, seed)
    assert named(mixed) == named(whole)
    assert Counter(map(speaker, mixed)) == Counter(map(speaker, whole))
    assert all(speaker(p)[0] != p.user_id and speaker(p)[1] != p.task for p in mixed)
    assert mixed == across_tasks(whole, seed)


def test_one_user_or_one_task_cannot_be_crossed():
    with pytest.raises(ValueError, match="of one user or one task"):
        across_tasks(crowd(4, ("headline",)), 0)
    with pytest.raises(ValueError, match="2 profiles of 1 users and 2 tasks: found no way"):
        across_tasks(crowd(1, TASKS[:2]), 0)
    with pytest.raises(ValueError, match="1 of 1 profiles"):
        shuffled(crowd(1), 0)


def test_random_profiles_are_other_training_users_of_the_task():
    training, asked = crowd(5, TASKS, "t"), crowd(4, TASKS)
    mixed = drawn(asked, training, 0)
    assert named(mixed) == named(asked)
    assert all(speaker(p)[0].startswith("t") and speaker(p)[1] == p.task for p in mixed)
    assert drawn(asked[:1], training, 0) == mixed[:1], "company changes nothing"
    assert any(drawn(asked, training, seed) != mixed for seed in range(1, 5))
    own = drawn(training, training, 0)
    assert all(speaker(p)[0] != p.user_id for p in own)
    with pytest.raises(ValueError, match="no other training user has a profile of task 'tweet'"):
        drawn([said("u", "tweet")], [said("u", "tweet"), said("v", "rating")], 0)


def test_words_are_the_same_in_another_order():
    whole = crowd(5)
    mixed = words_shuffled(whole, 0)
    for old, new in zip(whole, mixed, strict=True):
        assert Counter(old.text.split()) == Counter(new.text.split()) and old.text.split() != new.text.split()
        assert [len(s.text.split()) for s in old.statements] == [len(s.text.split()) for s in new.statements]
        assert [s.facet for s in old.statements] == [s.facet for s in new.statements]
    assert words_shuffled(whole[:1], 0) == mixed[:1] and words_shuffled(whole, 1) != mixed
    same = Profile("u", None, (Statement("a", "so so so"),), "t")
    assert words_shuffled([same, Profile("v", None, (), "t")], 0)[0] == same


def test_the_mean_is_over_those_who_have_a_slot():
    vectors = torch.arange(12.0).view(3, 2, 2)
    mask = torch.tensor([[True, False], [True, False], [False, False]])
    mean, present = mean_vectors(vectors, mask)
    assert mean.tolist() == [[[2.0, 3.0], [0.0, 0.0]]] and present.tolist() == [[True, False]]


def test_a_wrong_profiles_adapter_is_asked_for_in_the_users_own_name(bench, people, queries, tmp_path):
    train = TrainSettings(steps=4, learning_rate=1e-2, warmup=0.0, save_every=0, line_seconds=1e9)
    source = p2p.Source(bench, p2p.Settings(net=p2p.NetSettings(components=3), train=train))
    source.prepare(people, tmp_path / "run")
    profiles = source.inputs.known([Asked(user.id, user.history, None) for user in people])
    right, wrong = source.enrol_profiles(profiles), source.enrol_profiles(shuffled(profiles, 0))
    right_adapters, index = source.adapters(queries, right)
    wrong_adapters, wrong_index = source.adapters(queries, wrong)
    assert index.tolist() == wrong_index.tolist()
    spoken = shuffled([lent(said(p.user_id), p) for p in profiles], 0)
    for n, profile in enumerate(spoken):
        other = [user.id for user in people].index(speaker(profile)[0])
        for name, tensor in wrong_adapters.tensors.items():
            assert torch.allclose(tensor[n], right_adapters.tensors[name][other], atol=1e-6)
    table = source.table(profiles)
    mean, present = mean_vectors(*table.gather(torch.arange(len(profiles))))
    adapters = source.made_of(mean, present)
    assert len(adapters) == 1 and not torch.equal(
        adapters.tensors["q_proj.B"][0], right_adapters.tensors["q_proj.B"][0]
    )


@pytest.mark.parametrize(("pool", "scope"), [("facets", "all"), ("single", "task"), ("attention", "all")])
def test_the_mean_of_training_users_is_one_adapter_for_all(bench, people, queries, tmp_path, pool, scope):
    train = TrainSettings(steps=4, learning_rate=1e-2, warmup=0.0, save_every=0, line_seconds=1e9)
    net = p2p.NetSettings(pool=pool, head="L", latent=16, head_in=24, components=3, dropout=0.0, unit_norm=False)
    cuts = p2p.CutSettings(count=1, minimum=2, scope=scope)
    source = p2p.Source(replace(bench, max_tokens=128), p2p.Settings(net=net, cuts=cuts, train=train))
    source.prepare(people, tmp_path / "run")
    tasks = sorted({query.task for query in queries})
    roster = source.enrol_mean(people[:4], people, tasks)
    assert roster.shared and len(roster.adapters) == (len(tasks) if scope == "task" else 1)
    told = source.examples(people[:4]).profiles
    for (user, task), number in roster.place.items():
        mine = [profile for profile in told if profile.task == task]
        vectors, mask = source.table(mine).gather(torch.arange(len(mine)))
        if pool == "attention":
            vectors, mask = vectors[mask][:, None], mask[mask][:, None]
        alone = source.made_of(*mean_vectors(vectors, mask))
        for name, tensor in alone.tensors.items():
            assert torch.allclose(roster.adapters.tensors[name][number], tensor[0], atol=1e-5), (user, task)
    adapters, index = source.adapters(queries, roster)
    assert adapters is roster.adapters and (scope == "task" or set(index.tolist()) == {0})
    own = source.enrol(people, tasks).adapters
    assert all(
        (own.tensors["q_proj.B"][n] - roster.adapters.tensors["q_proj.B"][0]).abs().max() > 1e-6 for n in range(3)
    )
