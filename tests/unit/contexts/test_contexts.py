"""What holds for every context that is found, then each one's own."""

from dataclasses import is_dataclass, replace
from types import ModuleType

import pytest

from tailorlm import plugins
from tailorlm.backbone.prompt import Prompt
from tailorlm.contexts import none, profile_only
from tailorlm.contexts.context import Request
from tailorlm.data.records import Example, Interaction

NAMES = plugins.names("contexts")
QUERY = Example("q", "u", "plain", "ask: text", "SECRET-TARGET", time=10.0)
PROMPT = Prompt("text", head="ask: ", system="be kind")
FUTURE = (Interaction("now", "SECRET-NOW", 10.0), Interaction("later", "SECRET-LATER", 11.0))
PAST = (Interaction("old", "was", 1.0), Interaction("undated", "too"))
FULL = Request(QUERY, PROMPT, PAST + FUTURE, "Likes {braces}.\nWrites in lower case.")
EMPTY = Request(QUERY, PROMPT)


@pytest.fixture(params=NAMES)
def context(request: pytest.FixtureRequest) -> ModuleType:
    return plugins.find("contexts", request.param)


def test_the_contexts_are_found() -> None:
    assert {"none", "profile_only"} <= set(NAMES)


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
