"""Profiles made once for all methods, at everybody's cost; what a source cannot read is left out and said."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from tailorlm.assembly import remembered
from tailorlm.assembly.remembered import Fitted, Remembered
from tailorlm.assembly.spent import spending, spent
from tailorlm.data.records import Interaction, User
from tailorlm.profiles.llm import ProfileError, ProfilesError
from tailorlm.profiles.profile import Profile, Statement

ITEMS = tuple(Interaction("a", f"b{n}") for n in range(3))


class Clock:
    """A second a reading of the clock, and ten for each profile made."""

    def __init__(self) -> None:
        self.now, self.calls = 0.0, []

    def perf_counter(self) -> float:
        return self.now

    def profiles(self, users: Sequence[User], task: str | None) -> list[Profile]:
        self.calls.append([user.id for user in users])
        if any(user.id == "bad" for user in users):
            raise ValueError("bad")
        self.now += 10.0 * len(users)
        said = [f"{user.id} {len(user.history)} {user.profile}" for user in users]
        return [Profile(u.id, task, (Statement("all", text),), "t") for u, text in zip(users, said, strict=True)]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(remembered, "time", made)
    return made


def test_a_profile_is_made_once_and_costs_everybody_the_same(clock: Clock, tmp_path: Path) -> None:
    profile = Remembered(clock.profiles, tmp_path)
    assert profile("u", ITEMS, None).text == "u 3 None" and profile.spared == 0.0
    assert profile("u", ITEMS, None).text == "u 3 None" and profile.spared == 0.0  # who made it has paid for it
    profile.paid = set()
    for _ in range(3):
        assert profile("u", ITEMS, None).text == "u 3 None" and profile.spared == 10.0
    assert profile("u", ITEMS[:1], None).text == "u 1 None" and profile("u", ITEMS, "task").task == "task"
    assert clock.calls == [["u"], ["u"], ["u"]] and not list(tmp_path.iterdir())


def test_those_who_are_met_are_made_together_and_each_pays_an_own_share(clock: Clock) -> None:
    profile = Remembered(clock.profiles)
    users = [User(f"u{n}", ITEMS[:n], f"text {n}") for n in range(3)]
    profile.meet(users)
    before = clock.now + profile.spared
    assert profile("u1", ITEMS[:1], None).text == "u1 1 text 1" and clock.calls == [["u0", "u1", "u2"]]
    assert clock.now + profile.spared - before == pytest.approx(10.0)
    assert profile("u2", ITEMS[:2], None).text == "u2 2 text 2" and len(clock.calls) == 1
    assert clock.now + profile.spared - before == pytest.approx(20.0)
    assert profile("u2", ITEMS, None).text == "u2 3 text 2" and clock.calls[1:] == [["u2"]]  # another history of u2's
    assert profile.made(users[0], None) == profile("u0", (), None) and profile.made(users[0], "task") is None


def test_who_cannot_be_profiled_stops_nobody_else(clock: Clock) -> None:
    profile = Remembered(clock.profiles)
    profile.meet([User("good", ITEMS), User("bad", ITEMS)])
    assert profile("good", ITEMS, None).user_id == "good"
    with pytest.raises(ValueError, match="bad"):
        profile("bad", ITEMS, None)
    profile.meet([User("good", ITEMS)])
    profile.tell({"good": "a text"})
    assert profile("good", ITEMS, None).text == "good 3 a text"  # another text: another profile


def test_a_failure_is_remembered_and_the_others_of_the_batch_are_kept(clock: Clock) -> None:
    def some(users: Sequence[User], task: str | None) -> list[Profile]:
        made = clock.profiles([user for user in users if user.id != "lost"], task)
        given = iter(made)
        found = [ProfileError("lost", "HTTP 500") if user.id == "lost" else next(given) for user in users]
        if len(made) < len(users):
            raise ProfilesError(found)
        return made

    profile = Remembered(some)
    users = [User(id, ITEMS) for id in ("a", "lost", "b")]
    profile.meet(users)
    with pytest.raises(ProfileError, match="user 'lost' has no profile: HTTP 500"):
        profile("lost", ITEMS, None)
    assert profile("a", ITEMS, None).user_id == "a" and profile("b", ITEMS, None).user_id == "b"
    assert profile.made(users[1], None) is None
    profile.meet(users)
    with pytest.raises(ProfileError, match="HTTP 500"):
        profile("lost", ITEMS, None)
    assert clock.calls == [["a", "b"]]  # nobody was asked about twice


def test_what_a_source_has_no_slot_for_is_left_out_and_said() -> None:
    whole = Profile("u", None, (Statement("known", "one"), Statement("odd", "two")), "t")
    fitted = Fitted(lambda user_id, history, task: whole)
    assert fitted("u", (), None) == whole and not fitted.notes
    fitted.facets = ("known",)
    assert fitted("u", (), None).text == "one" and fitted.notes == {"u": "1 of 2 statements are about what the network "
                                                                    "was not trained on; left out"}  # fmt: skip
    fitted.change = lambda profile: Profile("u", None, (), "t")
    assert fitted("u", (), None).statements == ()


def test_seconds_add_up_over_interruptions_and_stop_when_finished(tmp_path: Path) -> None:
    path = tmp_path / "prepared" / "x.json"
    assert spent(path) is None
    with pytest.raises(KeyboardInterrupt), spending(path, iter([1.0, 6.0]).__next__):
        raise KeyboardInterrupt
    assert spent(path) == pytest.approx(5.0, abs=0.1)
    with spending(path, iter([0.0, 2.0]).__next__):
        pass
    assert spent(path) == pytest.approx(7.0, abs=0.1)
    with spending(path, iter([0.0, 9.0]).__next__):
        pass
    assert spent(path) == pytest.approx(7.0, abs=0.1)  # loading what was finished costs nothing more
