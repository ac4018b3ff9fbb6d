"""Rows of users' own items: the newest, plain and in context, nothing of the item itself or later in its context."""

from dataclasses import replace

import pytest

from tailorlm.data.cuts import Cut
from tailorlm.data.records import Interaction, User
from tailorlm.methods.own_items import ItemSettings, item_keys, own_rows
from tailorlm.methods.own_plan import STAGE_2_BATCHES, STAGE_2_RATES, Pace, own_plan
from tailorlm.methods.owners import Owner, owners
from tailorlm.plugins import find
from tailorlm.profiles.profile import Profile, Statement
from tailorlm.training.examples import training_set

TEN = ItemSettings(items=10, context="rag_pag", options={"k": 1})


def text(bench, row):
    return bench.backbone.tokenizer.decode(row.ids)


def known(name):
    return find("tasks", name).TASK


def listed(user_id, history, task):
    """A profile that says all that the user did."""
    return Profile(user_id, task, tuple(Statement("done", item.output) for item in history), "all")


def headlines(count, changed=()):
    """Items with the words alpha0, alpha1, ...: each is nearest to itself."""
    items = [
        Interaction(f"Write a headline: alpha{n} beta{n} gamma{n}", f"HEAD{n}", float(n), "headline")
        for n in range(count)
    ]
    for place, item in changed:
        items[place] = item
    return User("lea", tuple(items))


def test_rows_are_those_of_a_training_set_without_a_context(bench, people):
    rows = own_rows(bench, [Owner(user) for user in people], ItemSettings(), seed=3)
    cuts = [Cut(user.id, 0) for user in people]
    whole = training_set(people, cuts, bench.task_of, bench.backbone.tokenizer, bench.max_tokens, bench.pools, 3)
    assert rows.rows == whole.rows
    assert [people[owner].id for owner in rows.owner] == [whole.cuts[cut].user_id for cut in whole.cut]
    assert rows.task == whole.task


def test_the_newest_items_come_twice_and_oldest_first(bench, people):
    rows = own_rows(bench, [Owner(user) for user in people[:2]], TEN, seed=0)
    assert len(rows.rows) == 40
    for number, user in enumerate(people[:2]):
        ids = [rows.rows[i].id for i in rows.numbers()[number]]
        last = [f"{user.id}@{place}" for place in range(len(user.history) - 10, len(user.history))]
        assert ids == last + [name + "+" for name in last]
    assert rows.seen[0] == set(item_keys(people[0].history)) and len(rows.seen[0]) > 10


@pytest.fixture(scope="module")
def roomy(bench):
    """Rows of any length: the tiny tokenizer has a token a byte."""
    return replace(bench, max_tokens=4000)


def test_a_context_holds_the_nearest_earlier_item_and_the_profile_of_earlier_items(roomy):
    user = headlines(6)
    rows = own_rows(roomy, [Owner(user)], replace(TEN, items=3), seed=0)
    plain, told = rows.rows[:3], rows.rows[3:]
    for place, (one, two) in enumerate(zip(plain, told, strict=True), 3):
        added = text(roomy, two).replace(text(roomy, one).removeprefix("<|user|>"), "")
        assert f"HEAD{place - 1}" in added and "About the user" in added  # of equals the newest earlier one
        assert all(f"alpha{later}" not in added and f"HEAD{later}" not in added for later in range(place, 6))
        assert roomy.profile("lea", user.history[:place], "headline").text in added


@pytest.mark.parametrize("scope", ["all", "task"])
def test_a_context_shows_the_profile_that_evaluation_shows(roomy, people, scope):
    """The query's task's, whether an adapter is for all tasks or for one; of all tasks where that is asked for."""
    user = people[0]
    task, before = user.history[-1].task, user.history[:-1]
    of_task, of_all = (roomy.profile(user.id, before, about).text for about in (task, None))
    assert of_task != of_all and of_all not in of_task

    def shown(profiles):
        one = ItemSettings(items=1, context="profile_only", scope=scope, profiles=profiles)
        return text(roomy, own_rows(roomy, owners([user], [task], scope), one, seed=0).rows[1])

    assert shown(None) == shown("task")
    assert f"About the user:\n{of_task}\n" in shown("task") and of_all not in shown("task")
    assert f"About the user:\n{of_all}\n" in shown("all")


def test_an_item_or_later_items_changed_leave_the_context_alone_and_earlier_ones_do_not(roomy):
    def context(user):
        rows = own_rows(roomy, [Owner(user)], replace(TEN, items=2), seed=0)
        return text(roomy, rows.rows[2]).rpartition("Write a headline: alpha4 beta4")[0]

    same = Interaction("Write a headline: alpha4 beta4 gamma4", "OTHER", 5.0, "headline")
    assert context(headlines(6)) == context(headlines(6, [(5, same)]))
    twin = Interaction("Write a headline: alpha4 beta4 gamma4", "TWIN", 1.0, "headline")
    assert "TWIN" in context(headlines(6, [(1, twin)])) and "TWIN" not in context(headlines(6))


PAPERS = tuple(Interaction("", f"own{n} topic{n}", float(n), "lamp_1") for n in range(9))
OTHERS = tuple(Interaction("", f"other{n} field{n}", None, "lamp_1") for n in range(9))


def cited(question):
    """The candidate that is an own paper."""
    first, second = question.partition('[1]: "')[2].partition('"')[0], question.partition('[2]: "')[2].partition('"')[0]
    [own] = [title for title in (first, second) if title.startswith("own")]
    return own


@pytest.mark.parametrize("context", ["rag", "full_history", "profile_only", "rag_pag"])
def test_what_is_shown_beside_a_pair_does_not_hold_the_candidate_that_the_user_gave(roomy, context):
    told = replace(roomy, pools={"lamp_1": OTHERS}, task_of=known, profile=listed)
    for seed in range(5):
        rows = own_rows(told, [Owner(User("ann", PAPERS))], ItemSettings(context=context), seed=seed)
        plain, shown = rows.rows[: len(rows.rows) // 2], rows.rows[len(rows.rows) // 2 :]
        assert [row.id for row in plain] == [f"ann@{n}" for n in range(1, 9)]
        for place, (one, two) in enumerate(zip(plain, shown, strict=True), 1):
            right = cited(text(told, one))
            assert text(told, two).count(right) == 1  # in the question, and nowhere else
            assert int(right[3]) in range(place // 2, place)
            seen = [n for n in range(9) if f"own{n}" in text(told, two).replace(right, "").replace(f"own{place} ", "")]
            assert all(n < place // 2 for n in seen) and (seen or place < 2 or context == "rag")


def test_the_negative_control_shows_the_candidate(roomy, monkeypatch):
    """Were all that is before a paper shown, the right candidate would be: the test above would see it."""
    from tailorlm.methods import own_items

    told = replace(roomy, pools={"lamp_1": OTHERS}, task_of=known, profile=listed)
    before = own_items._before
    monkeypatch.setattr(own_items, "_before", lambda bench, *more: before(replace(bench, pools={}), *more))
    rows = own_rows(told, [Owner(User("ann", PAPERS))], ItemSettings(context="full_history"), seed=0).rows
    counts = [text(told, two).count(cited(text(told, one))) for one, two in zip(rows[:8], rows[8:], strict=True)]
    assert counts == [2] * 8


def test_without_a_context_any_earlier_paper_is_a_candidate_and_later_ones_never(roomy):
    told, found = replace(roomy, pools={"lamp_1": OTHERS}, task_of=known), set()
    for seed in range(60):
        rows = own_rows(told, [Owner(User("ann", PAPERS))], ItemSettings(items=1), seed=seed)
        found.add(cited(text(told, rows.rows[0])))
    assert found == {paper.output for paper in PAPERS[:8]}


def test_the_first_item_has_nothing_before_it(bench):
    rows = own_rows(bench, [Owner(headlines(1))], TEN, seed=0)
    assert [row.ids for row in rows.rows[:1]] == [row.ids for row in rows.rows[1:]]


def test_a_row_depends_on_its_owner_alone(bench, people):
    together = own_rows(bench, [Owner(user) for user in people[:3]], TEN, seed=0)
    alone = own_rows(bench, [Owner(people[1])], TEN, seed=0)
    assert alone.rows == [together.rows[i] for i in together.numbers()[1]]


def test_seen_items_are_left_out_wherever_they_stand(bench):
    user = headlines(4)
    first = own_rows(bench, [Owner(user)], ItemSettings(), seed=0)
    grown = User("lea", user.history[1:] + headlines(7).history[4:])
    rows = own_rows(bench, [Owner(grown)], ItemSettings(), seed=0, seen=first.seen)
    assert [text(bench, row).count(f"HEAD{n}") for n, row in zip((4, 5, 6), rows.rows, strict=True)] == [1, 1, 1]
    twice = User("lea", user.history + user.history[:1])
    assert len(own_rows(bench, [Owner(twice)], ItemSettings(), seed=0, seen=first.seen).rows) == 1


def test_owners_of_tasks_have_that_tasks_items_only(bench, people):
    found = owners(people[:2], ("headline", "rating"), "task")
    assert [owner.place for owner in found] == [(u.id, t) for u in people[:2] for t in ("headline", "rating")]
    rows = own_rows(bench, found, replace(TEN, items=4), seed=0)
    for number, owner in enumerate(found):
        assert {rows.task[i] for i in rows.numbers()[number]} == {owner.task}
    assert [owner.task for owner in owners(people[:2], (), "all")] == [None, None]
    with pytest.raises(ValueError, match="name the tasks"):
        owners(people, (), "task")


def test_steps_have_the_batch_and_rate_of_their_task(bench, people):
    found = owners(people[:2], ("headline", "rating"), "task")
    rows = own_rows(bench, found, replace(TEN, items=4), seed=0)
    pace = Pace(epochs=1, batch=16, rate=1e-4, batches={"rating": 3}, rates={"rating": 7e-4})
    plan = own_plan(found, rows, pace)
    assert plan.ids[:2] == (f"{people[0].id}/headline", f"{people[0].id}/rating")
    assert plan.lengths == (1, 3, 1, 3) and plan.rates == (1e-4, 7e-4, 1e-4, 7e-4)
    mixed = [Owner(people[0])]
    with pytest.raises(ValueError, match=f"{people[0].id}.*a batch of its own.*scope"):
        own_plan(mixed, own_rows(bench, mixed, ItemSettings(), seed=0), pace)


def test_twenty_rows_in_batches_of_16_are_two_steps(bench, people):
    rows = own_rows(bench, [Owner(people[0])], TEN, seed=0)
    assert list(map(len, own_plan([Owner(people[0])], rows, Pace(epochs=1, batch=16, rate=1e-4)).steps[0])) == [16, 4]
    assert STAGE_2_RATES.keys() == STAGE_2_BATCHES.keys() and STAGE_2_RATES["lamp_5"] == 1e-6


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"items": -1}, "items is -1"),
        ({"context": "rga"}, "did you mean rag"),
        ({"context": "rag_pag", "options": {"kk": 1}}, "options of rag_pag"),
    ],
)
def test_settings_that_cannot_be_are_refused(given, message):
    with pytest.raises(ValueError, match=message):
        ItemSettings(**given)


def test_an_item_s_profile_and_items_are_of_earlier_times(bench):
    """Two things done at one time, as where times are days: neither is told before the other."""
    user = headlines(6)
    twin = replace(user.history[4], input="Write a headline: delta", output="TWIN")
    user = replace(user, history=(*user.history[:5], twin, *user.history[5:]))
    rows = own_rows(replace(bench, profile=listed), [Owner(user)], replace(TEN, items=0), seed=0)
    said = {row.id: text(bench, row) for row in rows.rows}
    assert "HEAD4" not in said["lea@5+"] and "HEAD3" in said["lea@5+"]
    assert "HEAD4" in said["lea@6+"] and "TWIN" in said["lea@6+"]  # the control: a later time
