"""PriME: never below its fallback on its own fitness, a user alone as in company, nothing but the own history."""

from dataclasses import replace
from random import Random

import pytest
import torch

from tailorlm.adapters.batch import Adapters
from tailorlm.backbone.generate import generate
from tailorlm.data.records import Interaction, User
from tailorlm.methods import prime
from tailorlm.methods.answering import Question, alike, answers, likeness, mean_by_user, newest, scores
from tailorlm.methods.evolution import SearchSettings
from tailorlm.methods.lora import LoraSettings
from tailorlm.methods.sharers import Sharers, SharerSettings, carried, history_vectors
from tailorlm.methods.source import shared_start
from tailorlm.training.examples import pools_of
from tailorlm.training.many import ManySettings

LORA = LoraSettings(targets=("q_proj", "k_proj", "v_proj", "o_proj"), rank=4)
SETTINGS = prime.Settings(
    sharers=SharerSettings(clusters=4, lora=LORA, epochs=1, batch=8, train=ManySettings(learning_rate=5e-3)),
    nearest=2, items=4, alpha=0.5, search=SearchSettings(budget=4, population=2), users_at_once=2,
)  # fmt: skip


@pytest.fixture(scope="module")
def task(bench):
    return random_lora(bench, 1)


def random_lora(bench, seed, users=1, size=0.1):
    space = LORA.space(bench.backbone)
    chance = torch.Generator().manual_seed(seed)
    return Adapters(space, {n: size * torch.randn(users, *s, generator=chance) for n, s in space.shapes().items()})


@pytest.fixture(scope="module")
def quick(bench):
    """Tasks whose answers are a few tokens; a score that tells random answers apart."""

    def task_of(name):
        return replace(bench.task_of(name), max_new_tokens=3, score=letters)

    return replace(bench, task_of=task_of)


def letters(predictions, targets):
    """A number in 0..1 that nearly any two answers differ in."""
    return [Random(f"{said}/{gold}").random() for said, gold in zip(predictions, targets, strict=True)]


@pytest.fixture(scope="module")
def short(people):
    return [replace(user, history=user.history[: 11 + n]) for n, user in enumerate(people)]


def lending(bench, task, users, settings=SETTINGS, size=0.5):
    """A source whose sharers' LoRAs are random, of the histories of `users`."""
    source = prime.Source(bench, settings, task and shared_start(task))
    vectors = history_vectors(bench, users)
    source.sharers = Sharers(tuple(u.id for u in users), vectors, random_lora(bench, 9, len(users), size))
    return source


@pytest.fixture(scope="module")
def source(quick, short, task):
    return lending(quick, task, short[:4])


def equal(one, two, **tolerance):
    return all(torch.allclose(t, two.tensors[name], **tolerance) for name, t in one.tensors.items())


def test_it_is_never_below_its_fallback_on_its_own_fitness(source, short):
    users = short[2:]
    near = source.similar(users)
    found = source.found(users, near)
    assert (found.fitness >= found.start).all() and (found.fitness > found.start).any()
    questions = newest(source.bench, users, SETTINGS.items)
    theirs = source.answers(questions, carried(source.task, source.sharers.adapters), near)
    both = torch.stack([torch.zeros_like(found.points), found.points], 1)
    again = source.fitness(questions, theirs, source.spread(near, both))
    assert torch.allclose(again[:, 0], found.start, atol=1e-6)
    assert torch.allclose(again[:, 1], found.fitness, atol=1e-6)


def test_the_fitness_of_the_fallback_is_that_of_the_task_lora(source, short, quick, task):
    """By hand: the task LoRA's greedy answers, each user's own score, likeness to the sharers' own answers."""
    users = short[4:]
    near = source.similar(users)
    found = source.found(users, near)
    for n, user in enumerate(users):
        asked = newest(quick, [user], SETTINGS.items)
        values = []
        for one in asked:
            said = by_hand(quick, source, one, task_alone(source))
            theirs = [by_hand(quick, source, one, carried(task, source.sharers.adapters[int(p)])) for p in near[n]]
            alikeness = sum(alike([said] * 2, theirs)) / 2
            values.append(letters([said], [one.target])[0] - 0.5 * alikeness)
        assert found.start[n] == pytest.approx(sum(values) / len(values), abs=1e-6)


def test_what_is_like_the_sharers_is_worse_by_alpha_times_the_likeness(quick, short, task, monkeypatch):
    flat = replace(quick, task_of=lambda name: replace(quick.task_of(name), score=lambda said, gold: [0.5] * len(said)))
    made = lending(flat, task, short[:4])
    questions = newest(flat, short[4:5], 1)
    said = ["red big cat", "a dog", "big cat"]
    monkeypatch.setattr(made, "answers", lambda asked, adapters, index: [said] * len(asked))
    found = made.fitness(questions, [["big cat", "big cow"]], torch.zeros(1, 3, 4))
    rouge = [(4 / 5 + 2 / 5) / 2, 0.0, (1 + 1 / 2) / 2]  # F of 2 of 3 and 2 words, of 1 of 3 and 2; equal is 1
    assert found[0].tolist() == pytest.approx([0.5 - SETTINGS.alpha * value for value in rouge])


def task_alone(source):
    return carried(source.task, source.sharers.adapters[0].scaled(0.0))


def by_hand(bench, source, question, adapter):
    return generate(bench.backbone, source.injector, [question.prompt], adapter, [0], 3)[0]


def test_a_task_lora_that_cannot_be_beaten_stays_alone(source, short, quick, task):
    flat = replace(quick, task_of=lambda name: replace(quick.task_of(name), score=lambda said, gold: [0.5] * len(said)))
    same = lending(flat, task, short[:4], replace(SETTINGS, alpha=0.0))
    made = same.enrol(short[4:]).adapters
    assert not same.weights(short[4:]).any()
    assert not made.tensors["q_proj.B"][..., 4:].any()
    for name, t in task.tensors.items():
        part = made.tensors[name][:, :, :4] if name.endswith(".A") else made.tensors[name][..., :4]
        assert torch.equal(part, t.expand_as(part))


def test_a_user_alone_equals_the_user_in_company(source, short):
    users = short[3:]
    weights = source.weights(users)
    roster = source.enrol(users)
    for n, user in enumerate(users):
        assert torch.allclose(source.weights([user])[0], weights[n], atol=1e-5)
        assert equal(source.enrol([user]).adapters[0], roster.adapters[n], atol=1e-5)
    assert torch.allclose(source.weights(users[::-1]).flip(0), weights, atol=1e-5)
    assert len({tuple(row.tolist()) for row in weights}) > 1


def test_the_seed_decides(quick, short, task):
    users = short[4:]
    one, two = (lending(quick, task, short[:4]).weights(users) for _ in range(2))
    assert torch.equal(one, two)
    other = lending(quick, task, short[:4], replace(SETTINGS, seed=1)).weights(users)
    assert not torch.equal(one, other)


def test_only_the_similar_sharers_are_merged(source, short, quick, task):
    twin = replace(short[1], id="twin")
    assert source.similar([twin])[0, 0] == 1
    weights = source.weights(short[4:])
    near = source.similar(short[4:])
    allowed = torch.zeros_like(weights).scatter(1, near, 1.0).bool()
    assert weights.any() and not weights[~allowed].any()
    alone = lending(quick, task, short[:1])
    assert alone.similar(short[4:]).shape == (2, 1)
    assert alone.enrol(short[4:5]).adapters.space.rank == 8


def test_a_sharer_is_lent_others_and_never_the_own_lora(quick, short, task):
    """As where who is asked trains, too (data.protocol = "time")."""
    for nearest, others in ((2, 2), (9, 3)):
        made = lending(quick, task, short[:4], replace(SETTINGS, nearest=nearest))
        users = short[1:5]  # the last shares nothing
        near = made.similar(users)
        for row, own in zip(near[:3].tolist(), (1, 2, 3), strict=True):
            assert own not in row and len({place for place in row if place >= 0}) == others
        assert (near[3] >= 0).all() and made.similar([replace(short[1], id="twin")])[0, 0] == 1
        questions = newest(quick, users, SETTINGS.items)
        asked = made.theirs(questions, near)
        assert [len(texts) for texts in asked] == [near.shape[1] if q.user == 3 else others for q in questions]
        assert asked[0] == [by_hand(quick, made, questions[0], carried(task, made.sharers.adapters[int(p)]))
                            for p in near[0, :others]]  # fmt: skip
        weights = made.weights(users)
        assert not weights[[0, 1, 2], [1, 2, 3]].any() and weights.any()
        assert torch.allclose(made.weights(users[:1])[0], weights[0], atol=1e-5)
    assert made.spread(torch.tensor([[2, 0, -1]]), torch.tensor([[1.0, 2.0, 3.0]])).tolist() == [[2, 0, 1, 0]]
    with pytest.raises(ValueError, match=f"user '{short[0].id}' is the only sharer"):
        lending(quick, task, short[:1]).enrol(short[:1])


def test_sharers_are_training_users_and_held_users_are_not(quick, short, task, tmp_path):
    source = prime.Source(quick, SETTINGS, shared_start(task))
    source.prepare(short[:2], tmp_path / "run", held=short[2:4])
    source.enrol(short[4:])
    assert set(source.sharers.ids) <= {user.id for user in short[:2]}
    resumed = prime.Source(quick, SETTINGS, shared_start(task))
    resumed.prepare(short[:2], tmp_path / "run", resume=True)
    assert equal(resumed.sharers.adapters, source.sharers.adapters, rtol=0, atol=0)


def test_questions_are_the_newest_items_of_the_history_alone(quick, short):
    user = short[0]
    before = replace(user, history=user.history[:-1])
    asked = newest(quick, [before, short[1]], 3)
    texts = [(one.user, one.prompt.head + one.prompt.body + one.prompt.tail, one.target) for one in asked]
    assert texts[:3] == [(0, item.input, item.output) for item in user.history[-4:-1]]
    assert [one.user for one in asked] == [0, 0, 0, 1, 1, 1]
    older = replace(before, history=(Interaction("zz", "ZZ", None, "headline"),) * 3 + before.history[3:])
    assert newest(quick, [older], 3) == asked[:3]


def test_the_query_and_its_target_have_no_part(source, short):
    """The query is the item after the history; only as a part of the history would it be asked, and change weights."""
    user = short[5]
    before = replace(user, history=user.history[:-1])
    query = user.history[-1]
    later = replace(user, history=(*before.history, replace(query, output="something else")))
    asked, with_query = newest(source.bench, [before], 100), newest(source.bench, [later], 100)
    assert with_query[:-1] == asked and with_query[-1].target == "something else"
    assert not any(one.prompt == with_query[-1].prompt for one in asked)
    control = source.found([later], source.similar([later]))
    assert not torch.equal(source.found([before], source.similar([before])).start, control.start)


def test_negatives_of_pairs_are_never_the_users_own(bench):
    mine = Interaction("abstract", "My paper", None, "lamp_1")
    also = Interaction("other", "Another of mine", None, "lamp_1")
    theirs = Interaction("else", "Of others", None, "lamp_1")
    from tailorlm.assembly.datasets import task_of

    citing = replace(bench, task_of=task_of, pools=pools_of([User("t", (mine, also, theirs))]))
    asked = newest(citing, [User("u", (mine, also))], 5)
    assert len(asked) == 1  # the first paper has no earlier one to be its citation
    assert "Of others" in asked[0].prompt.tail and "My paper" in asked[0].prompt.tail
    assert asked[0].target in ("[1]", "[2]")


def test_a_user_without_items_keeps_the_task_lora(source, short):
    empty = replace(short[4], id="empty", history=())
    weights = source.weights([empty, short[5]])
    assert not weights[0].any()
    assert torch.allclose(weights[1], source.weights([short[5]])[0], atol=1e-5)
    assert not source.weights([empty]).any()


def test_answers_come_back_by_question_and_candidate(quick, source, short):
    asked = newest(quick, short[4:], 2)
    adapters = carried(source.task, source.sharers.adapters)
    index = torch.tensor([[0, 3], [1, 2], [2, 1], [3, 0]])
    said = answers(quick, source.injector, asked, adapters, index, 3)
    for q, one in enumerate(asked):
        assert said[q] == [by_hand(quick, source, one, adapters[int(p)]) for p in index[q]]
    assert said[0][0] != said[0][1]


def test_scores_and_likeness_are_per_question(quick):
    task = quick.task_of("headline")
    asked = [Question(0, task, task.prompt("x"), "a"), Question(2, task, task.prompt("y"), "b")]
    said = [["one", "two"], ["b", "a"]]
    assert scores(asked, said).tolist() == [
        letters(texts, [one.target] * 2) for one, texts in zip(asked, said, strict=True)
    ]
    found = likeness([["big dog", "4"], ["", "x"]], [["big cat", "4"], ["", "y"]])
    assert torch.allclose(found, torch.tensor([[0.25, 0.5], [0.5, 0.0]], dtype=torch.float64))
    assert mean_by_user(found, asked, 3).tolist() == [[0.25, 0.5], [0.0, 0.0], [0.5, 0.0]]


def test_requests_get_their_own_users_adapter(source, short, queries):
    roster = source.enrol(short[4:])
    adapters, index = source.adapters(queries[:3:-1], roster)
    assert adapters is roster.adapters and index.tolist() == [1, 0]


def test_before_prepare_there_is_nothing_to_merge(quick, short):
    with pytest.raises(RuntimeError, match="no sharers"):
        prime.Source(quick, SETTINGS).enrol(short[:1])


def test_a_missing_package_is_said_before_anything_is_trained(quick, monkeypatch):
    monkeypatch.setattr("tailorlm.methods.evolution.find_spec", lambda name: None)
    with pytest.raises(ValueError, match="pip install"):
        prime.Source(quick, SETTINGS)


def test_settings_are_the_papers_and_wrong_ones_are_named():
    table = {name: (how.nearest, how.search.budget) for name, how in prime.PUBLISHED.items()}
    assert table == {
        "lamp_1": (5, 10), "lamp_2m": (3, 5), "lamp_3": (5, 10), "lamp_4": (3, 5), "lamp_5": (3, 10), "lamp_7": (3, 5),
    }  # fmt: skip
    assert (prime.Settings().alpha, prime.Settings().search.bound, prime.Settings().items) == (1.0, 1.5, 50)
    with pytest.raises(ValueError, match="items is 0"):
        prime.Settings(items=0)
    with pytest.raises(ValueError, match="alpha is -1"):
        prime.Settings(alpha=-1.0)
    assert prime.NEEDS.other_users and prime.NEEDS.user_training
