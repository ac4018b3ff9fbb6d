"""What prompts may show: nothing at or after the query's own time, in items and in profiles."""

from dataclasses import replace
from pathlib import Path

import pytest

from tailorlm.assembly.benches import load_base, make_bench
from tailorlm.assembly.recipes import BaseSettings
from tailorlm.assembly.remembered import Remembered
from tailorlm.assembly.store import stored
from tailorlm.data.records import Example, Interaction, User
from tailorlm.evaluation.runner_desk import Desk, Shown, generating
from tailorlm.plugins import find, names
from tailorlm.profiles.profile import Profile, Statement

ITEMS = tuple(Interaction(f"item {n}", f"said{n}", float(n), "headline") for n in (1, 2, 2, 3))
QUERY = Example("q", "u", "headline", "Write a headline: news", "drama", 2.0)
MADE = []


def listed(users, task):
    """Profiles that say all that was done, as `Remembered` asks for them."""
    MADE.append([len(user.history) for user in users])
    return [Profile(u.id, task, tuple(Statement("done", item.output) for item in u.history), "all") for u in users]


@pytest.fixture(scope="module")
def desk(tiny_base: Path) -> Desk:
    bench = make_bench(load_base(BaseSettings(name=str(tiny_base), dtype="float32")), Remembered(listed), None, 512)
    store = stored([(User("u", ITEMS), (QUERY,))])
    return Desk(bench, Remembered(listed), {"dev": store}, store.users(), generating(bench, 2), str)


def shown(desk: Desk, context: str, query: Example) -> str:
    module = find("contexts", context)
    [prompt] = desk.prompts(Shown.of(module, module.Settings()), [query], {"u": User("u", ITEMS)}, 400)
    return prompt.context + prompt.head


@pytest.mark.parametrize("context", sorted(set(names("contexts")) - {"none"}))
def test_what_was_done_at_the_query_s_own_time_is_not_shown(desk: Desk, context: str) -> None:
    text = shown(desk, context, QUERY)
    assert "said1" in text and "said2" not in text and "said3" not in text
    assert "said2" in shown(desk, context, replace(QUERY, time=2.5))  # the control
    assert "said3" in shown(desk, context, replace(QUERY, time=None))  # the file's order vouches


def test_profiles_before_queries_are_made_together_and_once(desk: Desk) -> None:
    users = {name: User(name, ITEMS) for name in ("a", "b", "c")}
    queries = [replace(QUERY, id=f"{name}{n}", user_id=name) for name in users for n in range(2)]
    MADE.clear()
    desk.telling(users, queries)
    assert MADE == [[1, 1, 1]]
    desk.telling(users, queries)
    assert len(MADE) == 1
