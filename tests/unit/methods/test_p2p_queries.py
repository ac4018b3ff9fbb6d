"""P2P told of items: an adapter a query, from the user's own past only; what each source tells; the history whole."""

from dataclasses import replace

import pytest
import torch

from tailorlm.data.cuts import Cut
from tailorlm.data.records import Example, Interaction, User
from tailorlm.methods import p2p
from tailorlm.methods.asking import Asked
from tailorlm.methods.batches import BatchSettings, batches
from tailorlm.methods.objectives import LossSettings
from tailorlm.methods.p2p_inputs import NOTHING, Inputs, item_facets
from tailorlm.methods.p2p_rows import told_rows
from tailorlm.training.examples import training_set
from tailorlm.training.settings import TrainSettings

PLAIN = LossSettings(smoothing=0.0, neftune=0.0, l2=0.0, dropout=0.0)
TRAIN = TrainSettings(steps=6, learning_rate=1e-2, warmup=0.0, save_every=0, line_seconds=1e9)
WAYS = [("profile+items", 2), ("profile", 0), ("items", 2), ("history", 0)]


def settings(told="profile+items", k=2, pool="attention", scope="all", head="L"):
    return p2p.Settings(
        net=p2p.NetSettings(pool=pool, head=head, latent=16, head_in=24, dropout=0.0, components=4),
        cuts=p2p.CutSettings(count=2, minimum=2, scope=scope), loss=PLAIN, batch=BatchSettings(users=8), train=TRAIN,
        source=told, k=k,
    )  # fmt: skip


def rows_of(bench, user, position):
    cuts = [Cut(user.id, position)]
    return training_set([user], cuts, bench.task_of, bench.backbone.tokenizer, bench.max_tokens, bench.pools)


def told_of(bench, user, position, told, k, scope="all"):
    """What is told before each row after the cut, by the row's place in the history."""
    source = p2p.Source(bench, settings(told, k, scope=scope))
    rows = told_rows(bench, source.inputs, [user], [Cut(user.id, position)], scope, bench.max_tokens, 0)
    places = [int(query.id.rpartition("@")[2]) for query in rows.rows.queries]
    return {place: rows.profiles[owner] for place, owner in zip(places, rows.owners, strict=True)}


@pytest.fixture(scope="module")
def trained(bench, people, tmp_path_factory):
    source = p2p.Source(bench, settings())
    source.prepare(people, tmp_path_factory.mktemp("run"))
    return source


def same(one, other, tolerance=1e-6):
    return all(torch.allclose(t, other.tensors[name], atol=tolerance) for name, t in one.tensors.items())


def test_what_each_source_tells(bench, people):
    user, place = people[0], 12
    past, query = user.history[:place], user.history[place]
    shown = {item: bench.task_of(item.task).retrieval.shown(item) for item in past}
    summary = bench.profile(user.id, past, None).statements
    found = {told: told_of(bench, user, place, told, k)[place] for told, k in WAYS}
    assert found["profile"].statements == summary
    assert [s.text for s in found["history"].statements] == [shown[item] for item in reversed(past)]
    items = [s.text for s in found["items"].statements]
    assert len(items) == 2 and set(items) <= {shown[i] for i in past if i.task == query.task}
    assert found["profile+items"].statements == (*summary, *found["items"].statements)
    assert [s.facet for s in found["items"].statements] == list(item_facets(2))
    assert all(profile.user_id == user.id and profile.task is None for profile in found.values())


@pytest.mark.parametrize(("told", "k"), WAYS)
def test_nothing_of_the_target_or_of_later_items_is_told(bench, people, told, k):
    user, position = people[0], 10
    before = told_of(bench, user, position, told, k)
    answers = [replace(item, output="XX") for item in user.history[position:]]
    answered = told_of(bench, replace(user, history=(*user.history[:position], *answers)), position, told, k)
    assert all(answered[place] == before[place] for place in answered.keys() & before.keys()) and answered
    place = position + 3
    others = [item if n == place else Interaction("Write a headline: zz", "ZZ!", item.time, "headline")
              for n, item in enumerate(user.history[position:], start=position)]  # fmt: skip
    changed = told_of(bench, replace(user, history=(*user.history[:position], *others)), position, told, k)
    assert changed[place] == before[place]
    past = [replace(item, output="comedy" if item.task == "movie_tagging" else "4") for item in user.history[:position]]
    assert told_of(bench, replace(user, history=(*past, *user.history[position:])), position, told, k) != before


def test_a_rows_query_holds_no_answer(bench, people):
    rows = rows_of(bench, people[0], 5)
    assert all(query.target is None for query in rows.queries)
    assert [query.id for query in rows.queries] == [row.id for row in rows.rows]


def test_the_nearest_item_of_the_task_comes_first(bench):
    said = ("rain over hills", "a goat sings loudly", "markets fall again", "snow at sea")
    items = tuple(Interaction(f"Write a headline: {words}", "H", None, "headline") for words in said)
    other = Interaction("a goat sings loudly", "4", None, "rating")
    inputs = Inputs(bench.profile, bench.task_of, "items", 2)
    query = Example("q", "u", "headline", "Write a headline: the goat sings loudly", None)
    (found,) = inputs.asked(inputs.known([Asked("u", (*items, other), None)]), [inputs.request(query, (*items, other))])
    assert "goat" in found.statements[0].text and found.statements[0].text == inputs.shown(items[1])
    assert inputs.shown(other) not in [s.text for s in found.statements]


def test_one_adapter_a_query_of_the_users_own(trained, people, queries):
    roster = trained.enrol(people)
    adapters, index = trained.adapters(queries, roster)
    assert index.tolist() == list(range(len(queries))) and len(adapters) == len(queries)
    for n, query in enumerate(queries):
        alone, _ = trained.adapters([query], trained.enrol([people[n]]))
        assert same(alone, adapters[n])
    back, _ = trained.adapters(queries[::-1], roster)
    assert same(back, adapters[torch.arange(len(queries)).flip(0)])
    headlines = [Example(f"h{n}", people[0].id, "headline", f"Write a headline: {text}", None)
                 for n, text in enumerate(("rain opens the match", "a goat sings"))]  # fmt: skip
    two, _ = trained.adapters(headlines, roster)
    told = trained.told(headlines, roster)
    assert told[0] != told[1] and not same(two[0], two[1])
    wrong, _ = trained.adapters([replace(queries[0], user_id=people[1].id)], roster)
    assert not same(wrong, adapters[0])


def test_items_at_or_after_a_querys_time_are_not_told(trained, people):
    user = replace(people[0], history=tuple(replace(i, time=float(n)) for n, i in enumerate(people[0].history)))
    roster = trained.enrol([user])
    query = Example("q", user.id, "headline", "Write a headline: rain opens the match", None, 8.0)
    (told,) = trained.told([query], roster)
    shown = {trained.inputs.shown(item) for item in user.history[:8]}
    items = [s.text for s in told.statements if s.facet in item_facets(2)]
    assert items and set(items) <= shown
    cut = replace(user, history=user.history[:8])
    assert items == [
        s.text for s in trained.told([query], trained.enrol([cut]))[0].statements if s.facet in item_facets(2)
    ]


def test_a_roster_of_queries_is_not_taken_for_the_base(trained, bench, people, queries):
    roster = trained.enrol(people[:1])
    assert roster.adapters is None
    with pytest.raises(ValueError, match="an adapter a query: ask the source's `adapters`"):
        roster.index(queries[:1])
    with pytest.raises(ValueError, match=f"user '{people[1].id}' has no adapter"):
        trained.adapters(queries[1:2], roster)
    with pytest.raises(ValueError, match="has a profile and no history to search"):
        trained.enrol_profiles([bench.profile("x", (), None)])


def test_rows_are_drawn_as_with_an_adapter_a_user(bench, people):
    """A user with many items is not asked more often because each item has an adapter of its own."""
    drawn = []
    for told, k in (("profile", 0), ("profile+items", 2)):
        source = p2p.Source(bench, settings(told, k))
        found = source.examples(people)
        assert len(found.profiles) == (len(found.rows.rows) if k else len(set(found.owners)))
        stream = batches(bench, found.rows, found.owners, source.settings.batch, 0, found.units)
        drawn.append([next(stream).ids for _ in range(4)])
    assert drawn[0] == drawn[1]


@pytest.mark.parametrize(
    ("told", "k", "pool"),
    [("items", 1, "single"), ("history", 0, "single"), ("history", 0, "attention"), ("profile+items", 2, "facets"),
     ("items", 2, "facets")],
)  # fmt: skip
def test_every_source_trains_and_serves_an_empty_history(bench, people, queries, tmp_path, told, k, pool):
    whole = settings(told, k, pool, head="additive" if pool == "facets" else "L")
    source = p2p.Source(bench, replace(whole, cuts=p2p.CutSettings(count=2), train=replace(TRAIN, steps=2)))
    source.prepare(people[:3], tmp_path / "run", held=people[3:4])
    nobody = User("new", ())
    adapters, index = source.adapters(
        [replace(queries[0], user_id="new"), queries[0]], source.enrol([nobody, people[0]])
    )
    assert len(index) == 2
    adapters.check()
    assert not same(adapters[0], adapters[1])
    if told != "profile+items":
        assert (
            source.inputs.known([Asked("new", (), None)])[0].statements == ()
            or NOTHING in source.inputs.known([Asked("new", (), None)])[0].text
        )


def test_slots_for_retrieved_items_are_there_whatever_training_users_have(bench, people, tmp_path):
    few = [replace(user, history=user.history[:2]) for user in people[:3]]
    source = p2p.Source(bench, replace(settings(k=4, pool="facets", head="additive"), cuts=p2p.CutSettings(count=1),
                                       train=replace(TRAIN, steps=1)))  # fmt: skip
    source.prepare(few, tmp_path / "run")
    assert set(item_facets(4)) <= set(source.facets)


def test_the_papers_form_tells_items_a_user_and_task(bench, people, queries, tmp_path):
    source = p2p.Source(bench, replace(settings(pool="single", scope="task"), train=replace(TRAIN, steps=1)))
    source.prepare(people, tmp_path / "run")
    roster = source.enrol(people, sorted({query.task for query in queries}))
    assert [p.task for p in source.told(queries, roster)] == [query.task for query in queries]
    assert len(source.adapters(queries, roster)[0]) == len(queries)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"k": -1}, "k is -1: expected 0"),
        ({"source": "profile", "k": 2}, 'k is 2 and source "profile" retrieves nothing'),
        ({"source": "history", "k": 1}, 'k is 1 and source "history" retrieves nothing'),
        ({"source": "items"}, 'source "items" tells retrieved items only: set k'),
        ({"source": "history"}, 'source "history" has no fixed slots, net.pool is "facets"'),
    ],
)
def test_settings_that_do_not_go_together(changes, said):
    with pytest.raises(ValueError, match=said):
        p2p.Settings(**changes)
