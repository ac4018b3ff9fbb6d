"""Replies on disk: asked once, kept though others fail, private, forgotten; an endpoint without a network."""

import sqlite3
import stat

import pytest

from tailorlm.profiles.endpoint import BatchError, Endpoint, EndpointError, Settings
from tailorlm.profiles.replies import CachedReplies, asker, claim, forget_user, nobodys


class Fake:
    """An endpoint that fails on what is in `failing` and counts what it is asked."""

    def __init__(self, failing=(), **settings):
        self.settings = Settings("http://localhost/v1", **{"model": "m", **settings})
        self.failing, self.asked = set(failing), []

    def stream(self, prompts):
        for place in reversed(range(len(prompts))):
            self.asked.append(prompts[place])
            failed = prompts[place] in self.failing
            yield place, EndpointError(place, "down") if failed else f"re: {prompts[place]}"


def test_what_was_answered_is_not_asked_again(tmp_path):
    fake = Fake()
    assert CachedReplies(fake, tmp_path)(["a", "b"]) == ["re: a", "re: b"]
    assert CachedReplies(fake, tmp_path)(["b", "c", "a"]) == ["re: b", "re: c", "re: a"]
    assert sorted(fake.asked) == ["a", "b", "c"]


def test_a_failure_is_asked_again_and_the_others_are_not(tmp_path):
    fake = Fake(failing={"b"})
    cached = CachedReplies(fake, tmp_path)
    with pytest.raises(BatchError, match="prompt 1: down; 1 of 3 prompts failed"):
        cached(["a", "b", "c"])
    assert len(cached) == 2
    fake.failing, fake.asked = set(), []
    assert cached(["a", "b", "c"]) == ["re: a", "re: b", "re: c"] and fake.asked == ["b"]


def test_a_prompt_that_stands_twice_is_asked_once_and_fails_twice(tmp_path):
    fake = Fake(failing={"x"})
    replies = CachedReplies(fake, tmp_path).each(["a", "x", "a", "x"])
    assert replies[0] == replies[2] == "re: a" and sorted(fake.asked) == ["a", "x"]
    assert isinstance(replies[1], EndpointError) and isinstance(replies[3], EndpointError)


def test_replies_are_kept_as_they_come(tmp_path):
    fake = Fake()
    stream = CachedReplies(fake, tmp_path).stream(["a", "b"])
    next(stream)
    stream.close()
    assert len(CachedReplies(fake, tmp_path)) == 1


@pytest.mark.parametrize("other", [{"model": "n"}, {"temperature": 0.7}, {"max_tokens": 9}])
def test_another_model_or_setting_is_another_reply(tmp_path, other):
    CachedReplies(Fake(), tmp_path)(["a"])
    fake = Fake(**other)
    CachedReplies(fake, tmp_path)(["a"])
    assert fake.asked == ["a"]


def test_the_folder_is_private_and_prompts_are_not_in_it(tmp_path):
    cached = CachedReplies(Fake(), tmp_path / "deep" / "cache")
    cached(["my diary"])
    assert stat.S_IMODE(cached.file.parent.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in cached.file.parent.iterdir()} == {0o600}
    assert not any("diary" in path.name for path in cached.file.parent.iterdir())


def test_forgotten_replies_leave_nothing(tmp_path):
    fake = Fake()
    cached = CachedReplies(fake, tmp_path)
    cached(["secret one", "b"])
    assert b"secret one" in cached.file.read_bytes()  # in the reply, which echoes it
    assert cached.forget(["secret one", "never asked"]) == 1 and len(cached) == 1
    assert not any(b"secret one" in path.read_bytes() for path in tmp_path.iterdir())


def test_a_users_own_replies_are_forgotten_and_leave_nothing(tmp_path):
    cached = CachedReplies(Fake(), tmp_path)
    claim(cached, [("ann", "ann's secret"), ("ann", "what both say"), ("bob", "what both say"), ("bob", "bob's own")])
    cached(["ann's secret", "what both say", "bob's own", "of nobody"])
    assert nobodys(tmp_path) == 1
    assert cached.forget_user("ann") == 1 and len(cached) == 3  # what bob has, too, stays
    assert not any(b"ann's secret" in path.read_bytes() for path in tmp_path.iterdir())
    assert cached.forget_user("ann") == 0 == cached.forget_user("nobody")
    assert forget_user(tmp_path, "bob") == 2 and len(cached) == 1
    assert not any(word in cached.file.read_bytes() for word in (b"ann", b"bob"))


def test_what_a_stop_left_unanswered_is_forgotten_once_it_is_answered(tmp_path):
    fake = Fake(failing={"a"})
    cached = CachedReplies(fake, tmp_path)
    claim(cached, [("ann", "a")])
    cached.each(["a"])
    fake.failing = set()
    CachedReplies(fake, tmp_path)(["a"])
    assert forget_user(tmp_path, "ann") == 1 and len(cached) == 0


def test_replies_of_before_owners_were_recorded_are_owned_once_they_are_asked_again(tmp_path):
    fake = Fake()
    cached = CachedReplies(fake, tmp_path)
    cached(["a"])
    with sqlite3.connect(cached.file) as store:
        store.execute("DROP TABLE owners")
    assert (nobodys(tmp_path), forget_user(tmp_path, "ann"), len(cached)) == (1, 0, 1)
    again = CachedReplies(fake, tmp_path)
    claim(again, [("ann", "a")])
    assert again(["a"]) == ["re: a"] and fake.asked == ["a"] and nobodys(tmp_path) == 0
    assert forget_user(tmp_path, "ann") == 1


def test_another_model_s_replies_of_a_user_go_too(tmp_path):
    for model in ("m", "n"):
        cached = CachedReplies(Fake(model=model), tmp_path)
        claim(cached, [("ann", "a")])
        cached(["a"])
    assert len(cached) == 2 == forget_user(tmp_path, "ann")


def test_a_folder_without_replies_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"no cache of replies: it has no replies\.sqlite"):
        forget_user(tmp_path, "ann")
    claim(Endpoint(Settings("http://x/v1", "m")), [("ann", "a")])  # nothing is kept: nothing to record
    assert not list(tmp_path.iterdir())


def test_a_cache_only_where_the_settings_name_one(tmp_path):
    assert isinstance(asker(Settings("http://x/v1", "m")), Endpoint)
    cached = asker(Settings("http://x/v1", "m", cache=str(tmp_path / "c")))
    assert isinstance(cached, CachedReplies) and cached.each([]) == []
