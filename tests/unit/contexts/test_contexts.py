"""What holds for every context that is found, then each one's own."""

from dataclasses import is_dataclass, replace
from random import Random
from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailorlm import plugins, recipe
from tailorlm.backbone.prompt import Prompt
from tailorlm.contexts import full_history, none, pag, profile_only, rag, rag_pag
from tailorlm.contexts.context import Fits, Request
from tailorlm.contexts.items import Framing
from tailorlm.data.records import Example, Interaction

NAMES = plugins.names("contexts")
QUERY = Example("q", "u", "plain", "ask: text", "SECRET-TARGET", time=10.0)
PROMPT = Prompt("text", head="ask: ", system="be kind")
FUTURE = (Interaction("now", "SECRET-NOW", 10.0), Interaction("later", "SECRET-LATER", 11.0))
PAST = (Interaction("old", "was", 1.0), Interaction("undated", "too"))
FULL = Request(QUERY, PROMPT, PAST + FUTURE, "Likes {braces}.\nWrites in lower case.")
EMPTY = Request(QUERY, PROMPT)
SAID = ("the sea", "a dog runs", "a dog and a cat", "snow", "rain", "a tree")


@pytest.fixture(params=NAMES)
def context(request: pytest.FixtureRequest) -> ModuleType:
    return plugins.find("contexts", request.param)


def test_the_contexts_are_found() -> None:
    assert set(NAMES) == {"none", "profile_only", "rag", "pag", "rag_pag", "full_history"}


def test_a_context_has_frozen_settings_with_defaults(context: ModuleType) -> None:
    assert is_dataclass(context.Settings)
    assert context.Settings.__dataclass_params__.frozen
    context.Settings()


def test_one_prompt_per_request_in_order(context: ModuleType) -> None:
    requests = [replace(FULL, prompt=replace(PROMPT, body=f"text {i}")) for i in range(3)]
    found = context.build(requests, context.Settings())
    assert [prompt.body for prompt in found] == ["text 0", "text 1", "text 2"]
    assert context.build([], context.Settings()) == []


def test_only_the_context_field_changes(context: ModuleType) -> None:
    for request in (FULL, EMPTY):
        [prompt] = context.build([request], context.Settings())
        assert replace(prompt, context="") == PROMPT


def test_nothing_at_or_after_the_querys_time_and_no_target_is_passed(context: ModuleType) -> None:
    [prompt] = context.build([FULL], context.Settings())
    assert "SECRET" not in prompt.context
    changed = replace(FULL, history=PAST, example=replace(QUERY, target="another"))
    assert context.build([changed], context.Settings()) == [prompt]


def test_a_user_of_whom_nothing_is_known_gets_the_bare_query(context: ModuleType) -> None:
    assert context.build([EMPTY], context.Settings()) == [PROMPT]


def test_users_do_not_mix(context: ModuleType) -> None:
    alone = context.build([FULL], context.Settings())
    other = replace(FULL, profile="Somebody else.", history=())
    assert context.build([other, FULL, EMPTY], context.Settings())[1:2] == alone


def test_the_past_is_strictly_before_the_query() -> None:
    assert FULL.past == PAST
    assert replace(FULL, example=replace(QUERY, time=None)).past == PAST + FUTURE


def test_an_undated_item_after_the_query_is_no_past() -> None:
    late = replace(FULL, history=(*PAST, *FUTURE, Interaction("SECRET", "undated, after what is later")))
    assert late.past == PAST


def test_related_items_are_of_the_querys_task() -> None:
    items = (Interaction("a", "1", task="plain"), Interaction("b", "2", task="rating"), Interaction("c", "3"))
    request = replace(FULL, history=items)
    assert request.related == (items[0], items[2])
    assert replace(request, example=replace(QUERY, task=None)).related == items


@st.composite
def histories(draw: st.DrawFn) -> tuple[list[Interaction], float | None]:
    """Items oldest first, some without a time, and the time of a query, or None."""
    times = sorted(draw(st.lists(st.integers(0, 9), max_size=8)))
    hidden = draw(st.lists(st.booleans(), min_size=len(times), max_size=len(times)))
    said = draw(st.lists(st.sampled_from(["red text", "blue text", "red blue green"]), min_size=8, max_size=8))
    history = [
        Interaction(f"{said[n]} in{n}end", f"out{n}end", None if hidden[n] else float(time))
        for n, time in enumerate(times)
    ]
    return history, draw(st.one_of(st.none(), st.integers(0, 10).map(float)))


def shows(prompt: Prompt) -> set[int]:
    return {n for n in range(8) if f"out{n}end" in prompt.context or f"in{n}end" in prompt.context}


@pytest.mark.parametrize("name", NAMES)
@given(found=histories())
def test_no_item_at_or_after_the_query_is_shown_and_later_ones_change_nothing(
    name: str, found: tuple[list[Interaction], float | None]
) -> None:
    context, (history, now) = plugins.find("contexts", name), found
    dated = [n for n, item in enumerate(history) if now is not None and item.time is not None and item.time >= now]
    end = dated[0] if dated else len(history)
    request = replace(FULL, history=tuple(history), example=replace(QUERY, time=now))
    [prompt] = context.build([request], context.Settings())
    assert shows(prompt) <= set(range(end))
    assert "SECRET" not in prompt.context
    changed = tuple(history[:end]) + tuple(replace(item, input="red", output="other") for item in history[end:])
    assert context.build([replace(request, history=changed)], context.Settings()) == [prompt]


def test_permuting_users_permutes_contexts(context: ModuleType) -> None:
    requests = [
        replace(FULL, history=tuple(Interaction(f"text {u} {n % 3}", f"given {u}.{n}", n / 2) for n in range(u)),
                profile=f"profile {u}", example=replace(QUERY, user_id=f"u{u}"))
        for u in range(12)
    ]  # fmt: skip
    order = Random(0).sample(range(12), 12)
    whole = context.build(requests, context.Settings())
    assert context.build([requests[u] for u in order], context.Settings()) == [whole[u] for u in order]


@pytest.mark.parametrize("name", ["rag", "pag", "rag_pag", "full_history"])
def test_with_items_a_user_gets_their_own(name: str) -> None:
    context = plugins.find("contexts", name)
    mine = replace(FULL, history=(Interaction("text", "mine"),))
    other = replace(FULL, history=(Interaction("text", "theirs"),))
    first, second, again = context.build([mine, other, mine], context.Settings())
    assert "mine" in first.context and "theirs" not in first.context
    assert "theirs" in second.context and "mine" not in second.context
    assert again == first


def test_rag_shows_the_nearest_items_the_nearest_next_to_the_query() -> None:
    history = tuple(
        Interaction(said, said.upper())
        for said in ("the sea", "a dog runs", "a dog and a cat", "snow", "rain", "a tree")
    )
    request = replace(FULL, example=replace(QUERY, input="dog and cat"), history=history)
    [prompt] = rag.build([request], rag.Settings(k=2))
    assert prompt.context == (
        "What this user wrote before:\n\nQuestion: a dog runs\nAnswer: A DOG RUNS\n\n"
        "Question: a dog and a cat\nAnswer: A DOG AND A CAT\n\n"
    )
    [first] = rag.build([request], rag.Settings(k=2, order="best_first"))
    assert first.context.index("CAT") < first.context.index("RUNS")
    newest = replace(request, history=history[::-1])
    [dated] = rag.build([newest], rag.Settings(k=2, order="oldest_first"))
    assert dated.context.index("CAT") < dated.context.index("RUNS")
    [all_of_them] = rag.build([request], rag.Settings(k=99))
    assert all(item.output in all_of_them.context for item in history)


def test_pag_has_the_summary_first_and_rag_pag_the_items_first() -> None:
    request = replace(FULL, profile="Likes {items}.")
    [summary_first] = pag.build([request], pag.Settings())
    [items_first] = rag_pag.build([request], rag_pag.Settings())
    assert summary_first.context.index("Likes {items}.") < summary_first.context.index("Answer: too")
    assert items_first.context.index("Answer: ") < items_first.context.index("Likes {items}.")
    assert items_first.context.count("Answer: ") == 1
    assert summary_first.context.count("Answer: ") == 2


def test_full_history_is_oldest_first_and_at_most_the_newest() -> None:
    request = replace(FULL, history=tuple(Interaction(f"i{n}", f"o{n}") for n in range(5)))
    [prompt] = full_history.build([request], full_history.Settings())
    assert [prompt.context.index(f"o{n}") for n in range(5)] == sorted(prompt.context.index(f"o{n}") for n in range(5))
    [newest] = full_history.build([request], full_history.Settings(max_items=2))
    assert "o2" not in newest.context
    assert newest.context.index("o3") < newest.context.index("o4")


@pytest.mark.parametrize("room", range(40, 400, 17))
def test_items_that_do_not_fit_are_left_out_whole_the_oldest_first(room: int) -> None:
    items = tuple(Interaction(f"asked {n} " + "x" * (7 * n % 23), f"<o{n}>") for n in range(8))
    request = replace(FULL, history=items, fits=Fits(room, lambda prompt: len(prompt.messages()[-1]["content"])))
    [prompt] = full_history.build([request], full_history.Settings())
    kept = [n for n in range(8) if f"<o{n}>" in prompt.context]
    assert kept == list(range(8 - len(kept), 8))
    assert all(request.retrieval.shown(items[n]) in prompt.context for n in kept)
    assert not kept or request.fits(prompt)
    if len(kept) < 8:
        [more] = full_history.build([replace(request, fits=FULL.fits)], full_history.Settings(len(kept) + 1))
        assert not request.fits(more)


def test_the_least_wanted_item_goes_first_and_the_profile_stays() -> None:
    history = tuple(
        Interaction(said, said.upper())
        for said in ("the sea", "a dog runs", "a dog and a cat", "snow", "rain", "a tree")
    )
    request = replace(FULL, example=replace(QUERY, input="dog and cat"), history=history, profile="PROFILE")
    [whole] = pag.build([request], pag.Settings(k=2))
    tight = replace(request, fits=Fits(len(whole.context) - 1, lambda prompt: len(prompt.context)))
    [one] = pag.build([tight], pag.Settings(k=2))
    assert "PROFILE" in one.context and "CAT" in one.context and "RUNS" not in one.context
    [no_item] = pag.build([replace(request, fits=Fits(-1, lambda prompt: 0))], pag.Settings(k=2))
    assert no_item.context == "About the user:\nPROFILE\n\n"


def test_a_recipes_table_fills_the_settings(context: ModuleType) -> None:
    assert recipe.settings(context.Settings, {}, "context") == context.Settings()
    with pytest.raises(ValueError, match="context"):
        recipe.settings(context.Settings, {"nonsense": 1}, "context")


def test_a_recipe_says_how_items_are_framed() -> None:
    table = {"k": 3, "order": "oldest_first", "items": {"item": "* {item}\n"}}
    assert recipe.settings(rag.Settings, table, "context") == rag.Settings(3, "oldest_first", Framing("* {item}\n"))
    with pytest.raises(ValueError, match="order"):
        recipe.settings(rag.Settings, {"order": "sideways"}, "context")


@pytest.mark.parametrize("cls", [rag.Settings, pag.Settings, rag_pag.Settings])
def test_no_item_is_no_retrieval(cls: type) -> None:
    with pytest.raises(ValueError, match="k is 0: expected at least 1"):
        cls(k=0)


def test_settings_say_what_is_wrong_with_them() -> None:
    with pytest.raises(ValueError, match="max_items is -1"):
        full_history.Settings(-1)
    for cls in (pag.Settings, rag_pag.Settings):
        with pytest.raises(ValueError, match="profile has {profile} 0 times"):
            cls(profile="nothing")
    with pytest.raises(ValueError, match="items.item has {item} 0 times"):
        Framing(item="nothing")
    with pytest.raises(ValueError, match="items.wording has {items} 2 times"):
        Framing(wording="{items}{items}")


def test_none_adds_nothing() -> None:
    assert none.build([FULL], none.Settings()) == [PROMPT]


def test_profile_only_puts_the_profile_before_the_query() -> None:
    [prompt] = profile_only.build([FULL], profile_only.Settings())
    assert prompt.context == "About the user:\nLikes {braces}.\nWrites in lower case.\n\n"
    assert prompt.messages()[-1]["content"] == prompt.context + "ask: text"


def test_profile_only_keeps_a_context_that_is_there() -> None:
    request = replace(FULL, prompt=replace(PROMPT, context="Before. "), profile="P")
    [prompt] = profile_only.build([request], profile_only.Settings("[{profile}] "))
    assert prompt.context == "Before. [P] "


@pytest.mark.parametrize("wording", ["no field", "{profile} and {profile}"])
def test_profile_only_needs_its_field_once(wording: str) -> None:
    with pytest.raises(ValueError, match="expected once"):
        profile_only.Settings(wording)
