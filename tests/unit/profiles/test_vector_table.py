"""Vector tables: the three modes, missing slots, unknown facets, and the leak test."""

from dataclasses import replace

import pytest
import torch

from tailorlm.data.records import Interaction
from tailorlm.profiles.cache import CachedEncoder
from tailorlm.profiles.profile import Profile, Statement
from tailorlm.profiles.statistical import summarise
from tailorlm.profiles.table import UnknownFacets, build_table, facet_names, shared_facets


def profile(user, **said):
    return Profile(user, None, tuple(Statement(facet, text) for facet, text in said.items()), "t-1")


ONE, TWO = profile("u1", a="likes tea", b="shouts"), profile("u2", b="shouts", c="dots")


def test_profile_text_joins_statements():
    assert ONE.text == "likes tea\nshouts"


@pytest.mark.parametrize("mode", ["joined", "facets", "set"])
def test_a_cache_learns_whose_texts_it_has(encoder, tmp_path, mode):
    cached = CachedEncoder(encoder, tmp_path)
    build_table([ONE, TWO], cached, mode)
    before = len(cached)
    assert cached.forget_user("u1") == 1 and len(cached) == before - 1  # "likes tea", or the joined text
    assert cached.forget_user("u2") == before - 1 and len(cached) == 0


def test_facets_of_users_own_text_are_those_that_enough_users_have():
    def labelled(user, label, own=True):
        return Profile(user, None, (Statement("history", "some"), Statement(label, "first", own)), "t-1")

    two = [labelled("u1", "mine"), labelled("u1", "mine"), labelled("u2", "ours"), labelled("u3", "ours")]
    assert shared_facets([*two, labelled("u1", "declared", False)], 2) == ("declared", "history", "ours")
    assert shared_facets(two, 1) == ("history", "mine", "ours") and shared_facets(two, 3) == ("history",)


def test_facets_have_fixed_slots_and_each_text_is_encoded_once(encoder):
    assert facet_names([ONE, TWO]) == ("a", "b", "c")
    table = build_table([ONE, TWO], encoder, "facets")
    assert sorted(encoder.seen) == ["dots", "likes tea", "shouts"] and len(table) == 2
    vectors, mask = table.gather(torch.tensor([1, 0, 1]))
    assert vectors.shape == (3, 3, encoder.size) and vectors.dtype == torch.float32
    assert mask.tolist() == [[False, True, True], [True, True, False], [False, True, True]]
    assert torch.equal(vectors[0, 1], encoder(["shouts"])[0]) and torch.equal(vectors[0, 1], vectors[1, 1])
    assert not vectors[~mask].any()


def test_the_networks_own_facets_decide_order_and_width(encoder):
    table = build_table([TWO], encoder, "facets", ["c", "x", "b"])
    assert table.facets == ("c", "x", "b") and (table.ids >= 0).tolist() == [[True, False, True]]


def test_an_unknown_facet_is_reported_without_texts(encoder):
    other = [profile("u1", mine="secret"), profile("u2", mine="secret")]
    with pytest.raises(UnknownFacets, match=r"1 facets \(2 statements\) are not among the 1 known") as caught:
        build_table(other, encoder, "facets", ["b"])
    assert caught.value.counts == {"mine": 2} and "secret" not in str(caught.value)
    table = build_table([ONE, TWO], encoder, "facets", ["b"], on_unknown="count")
    assert table.unknown == {"a": 1, "c": 1}


def test_users_own_text_without_a_slot_is_counted_and_no_error(encoder):
    own = Profile("u1", None, (Statement("b", "dots"), Statement("mine", "secret", own=True)), ONE.template)
    table = build_table([own], encoder, "facets", ["b"])
    assert table.unknown == {"mine": 1} and table.ids.tolist() == [[0]] and "secret" not in encoder.seen
    with pytest.raises(UnknownFacets) as caught:  # of another template, beside it
        build_table([own, ONE], encoder, "facets", ["b"])
    assert caught.value.counts == {"a": 1}


def test_joined_is_one_vector_and_an_empty_profile_is_missing(encoder):
    table = build_table([ONE, profile("nobody")], encoder, "joined")
    vectors, mask = table.gather(torch.tensor([0, 1]))
    assert mask.tolist() == [[True], [False]]
    assert torch.equal(vectors[0], encoder([ONE.text])) and not vectors[1].any()


def test_set_is_padded_to_the_longest(encoder):
    vectors, mask = build_table([ONE, profile("u", x="y")], encoder, "set").gather(torch.tensor([0, 1]))
    assert mask.tolist() == [[True, True], [True, False]]
    assert torch.equal(vectors[1, 0], encoder(["y"])[0])


def test_nothing_but_empty_profiles_still_has_a_shape(encoder):
    vectors, mask = build_table([profile("u")], encoder, "set").gather(torch.tensor([0]))
    assert vectors.shape == (1, 1, encoder.size) and not mask.any()


@pytest.mark.parametrize(
    ("profiles", "mode", "said"),
    [
        ([], "joined", "0 templates"),
        ([ONE, replace(TWO, template="t-2")], "joined", "t-2"),
        ([ONE], "pooled", "pooled"),
        ([Profile("u9", None, (Statement("a", "x"), Statement("a", "y")), "t-1")], "facets", "u9"),
    ],
)
def test_bad_input_is_refused(profiles, mode, said, encoder):
    with pytest.raises(ValueError, match=said):
        build_table(profiles, encoder, mode)


def test_tables_move_between_devices(encoder):
    table = build_table([ONE], encoder, "facets")
    assert table.to("cpu").facets == table.facets and torch.equal(table.to("cpu").unique, table.unique)


def history(count):
    rows = [("Tags: comedy, drama", "comedy", "movie"), ("Rate this: fine", "4", "rating"),
            ("Write: the bus was late again", "The bus was late!", "post")]  # fmt: skip
    return [Interaction(i, o, float(n), t) for n, (i, o, t) in enumerate((rows * count)[:count])]


@pytest.mark.parametrize("cut", [0, 1, 4, 9, 12])
@pytest.mark.parametrize("mode", ["joined", "facets", "set"])
def test_nothing_at_or_after_the_cut_leaks(cut, mode, encoder):
    items = history(15)
    changed = items[:cut] + [Interaction("Tags: crime, war", "WAR ???", 99.0, "movie")] * (15 - cut)
    before, after = (summarise("u", one[:cut]) for one in (items, changed))
    assert before == after
    one, two = (build_table([made], encoder, mode) for made in (before, after))
    assert torch.equal(one.unique, two.unique) and torch.equal(one.ids, two.ids)


@pytest.mark.parametrize("mode", ["joined", "facets", "set"])
def test_a_changed_past_item_changes_profile_and_vectors(mode, encoder):
    items = history(12)
    changed = [replace(item, output="1") if item.task == "rating" else item for item in items[:6]] + items[6:]
    before, after = (summarise("u", one[:9]) for one in (items, changed))
    assert before != after
    one, two = (build_table([made], encoder, mode).gather(torch.tensor([0]))[0] for made in (before, after))
    assert not torch.equal(one, two)
