"""Training asks about many histories at once: side by side, in order, few at a time, each once, failures as ever."""

import threading
import time
from collections.abc import Sequence

import pytest

from tailorlm.assembly import kept, remembered
from tailorlm.assembly.kept import Kept
from tailorlm.assembly.profilers import Known, Profilers, make, one_by_one
from tailorlm.assembly.recipes import ProfileSettings
from tailorlm.assembly.remembered import Fitted, Remembered
from tailorlm.data.records import Interaction, User
from tailorlm.methods.asking import Asked, profiles
from tailorlm.profiles.endpoint import BatchError, EndpointError
from tailorlm.profiles.llm import ProfileError, ProfilesError, Summariser
from tailorlm.profiles.profile import Profile, Statement
from tailorlm.profiles.templates import Template

SHORT = Template(instruction="Describe.", item="{output}", headings=())


def asked(user: str, items: int = 2, task: str | None = None) -> Asked:
    return Asked(user, tuple(Interaction("a", f"{user} says {n}", float(n), "tweet") for n in range(items)), task)


class Writer:
    """A model that repeats what it is asked, and fails for prompts that hold one of `lost`."""

    def __init__(self, *lost: str) -> None:
        self.lost, self.sizes, self.prompts = lost, [], []

    def __call__(self, prompts: Sequence[str]) -> list[str]:
        self.sizes.append(len(prompts))
        self.prompts += prompts
        replies = [
            EndpointError(n, "HTTP 500") if any(word in prompt for word in self.lost) else prompt.replace("\n", " ")
            for n, prompt in enumerate(prompts)
        ]
        failed = [reply for reply in replies if isinstance(reply, EndpointError)]
        if failed:
            raise BatchError(0, "HTTP 500", replies)
        return replies

    def profilers(self) -> Profilers:
        return Summariser(self, "writer", SHORT)


def both(writer: Writer) -> list[Kept | Remembered]:
    return [Kept(writer.profilers(), {}), Remembered(writer.profilers())]


def test_many_histories_are_one_request_and_come_back_in_order() -> None:
    for number in range(2):
        writer = Writer()
        profile = both(writer)[number]
        wanted = [asked("u2"), asked("u0"), asked("u1"), asked("u0"), asked("u0", 1), asked("u1", 2, "tweet")]
        found = profiles(profile, wanted)
        assert [(one.user_id, one.task) for one in found] == [(one.user_id, one.task) for one in wanted]
        assert all(f"{one.user_id} says 0" in told.text for one, told in zip(wanted, found, strict=True))
        assert ("u0 says 1" in found[1].text, "u0 says 1" in found[4].text) == (True, False)
        assert writer.sizes == [4, 1]  # a request a task; the same history once
        assert profiles(profile, wanted) == found and [profile(*one) for one in wanted] == found
        assert len(writer.prompts) == 5


def test_one_after_the_other_says_the_same() -> None:
    wanted = [asked(f"u{n}", n) for n in range(5)]
    alone, together = Kept(Writer().profilers(), {}), Kept(Writer().profilers(), {})
    assert profiles(lambda *one: alone(*one), wanted) == profiles(together, wanted)


def test_few_are_asked_about_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "AT_ONCE", 4)
    monkeypatch.setattr(remembered, "AT_ONCE", 4)
    for number in range(2):
        writer = Writer()
        found = profiles(both(writer)[number], [asked(f"u{n}") for n in range(10)])
        assert writer.sizes == [4, 4, 2] and [one.user_id for one in found] == [f"u{n}" for n in range(10)]


def test_the_first_who_has_none_is_reported_and_what_came_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "AT_ONCE", 4)
    writer = Writer("u1 says", "u3 says")
    profile = Kept(writer.profilers(), {})
    with pytest.raises(ProfilesError, match=r"^user 'u1' has no profile: HTTP 500$"):
        profiles(profile, [asked(f"u{n}") for n in range(10)])
    assert writer.sizes == [4]  # training stops: nobody after these is asked about
    assert profile(*asked("u2")).user_id == "u2" and writer.sizes == [4]
    with pytest.raises(ProfilesError, match=r"^user 'u3' has no profile: HTTP 500$"):
        profile(*asked("u3"))


def test_evaluation_asks_about_nobody_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remembered, "AT_ONCE", 3)
    writer = Writer("u1 says")
    profile = Remembered(writer.profilers())
    for _ in range(2):
        with pytest.raises(ProfileError, match=r"^user 'u1' has no profile: HTTP 500$"):
            profiles(profile, [asked(f"u{n}") for n in range(5)])
    assert profile(*asked("u4")).user_id == "u4" and len(writer.prompts) == 5


def test_another_error_stops_only_whom_it_is_about() -> None:
    def counted(users: Sequence[User], task: str | None) -> list[Profile]:
        if any(user.id == "bad" for user in users):
            raise ValueError("bad")
        return [Profile(user.id, task, (Statement("a", "b"),), "t") for user in users]

    profile = Remembered(counted)
    with pytest.raises(ValueError, match="bad"):
        profiles(profile, [asked("good"), asked("bad")])
    assert profiles(profile, [asked("good"), asked("fine")])[1].user_id == "fine"


def test_who_asks_first_pays_and_everybody_else_as_much(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = type("Clock", (), {"now": 0.0})()
    monkeypatch.setattr(remembered, "time", type("Time", (), {"perf_counter": staticmethod(lambda: clock.now)}))

    def slow(users: Sequence[User], task: str | None) -> list[Profile]:
        clock.now += 10.0 * len(users)
        return [Profile(user.id, task, (Statement("a", "b"),), "t") for user in users]

    profile, wanted = Remembered(slow), [asked(f"u{n}") for n in range(3)]
    profiles(profile, wanted)
    assert (clock.now, profile.spared) == (30.0, 0.0)
    profile.paid = set()
    profiles(profile, wanted)
    profiles(profile, wanted)
    assert (clock.now, profile.spared) == (30.0, 30.0)


def test_a_sources_own_view_keeps_slots_notes_and_change() -> None:
    fitted = Fitted(Remembered(lambda users, task: [
        Profile(user.id, task, (Statement("known", user.id), Statement("odd", "x")), "t") for user in users
    ]))  # fmt: skip
    fitted.facets = ("known",)
    fitted.change = lambda profile: Profile(profile.user_id, None, (*profile.statements, Statement("c", "d")), "t")
    found = profiles(fitted, [asked("a"), asked("b")])
    assert [one.text for one in found] == ["a\nd", "b\nd"] and set(fitted.notes) == {"a", "b"}


def test_texts_of_the_data_go_with_their_users() -> None:
    own = User("t", asked("t").history, "likes comedies")
    profile = one_by_one(make(ProfileSettings(kind="given"), Known()), [own])
    assert [one.text for one in profiles(profile, [asked("t"), asked("t", 1)])] == ["likes comedies"] * 2


def test_an_endpoint_answers_training_side_by_side() -> None:
    """What the endpoint's `concurrency` allows is under way at once, and no more."""
    from tailorlm.profiles.endpoint import Endpoint, Settings

    lock, seen = threading.Lock(), {"busy": 0, "most": 0}

    class Slow(Endpoint):
        def _reply(self, prompt: str) -> str:
            with lock:
                seen["busy"] += 1
                seen["most"] = max(seen["most"], seen["busy"])
            time.sleep(0.02)
            with lock:
                seen["busy"] -= 1
            return prompt

    slow = Slow(Settings("http://127.0.0.1/v1", "m", concurrency=3))
    found = profiles(Kept(Summariser(slow, "m", SHORT), {}), [asked(f"u{n}") for n in range(12)])
    assert seen["most"] == 3 and [one.user_id for one in found] == [f"u{n}" for n in range(12)]
    assert all(f"{one.user_id} says" in one.text for one in found)
