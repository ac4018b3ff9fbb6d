"""Methods ask for all profiles of their rows in one call, and read the same as one after the other."""

from dataclasses import replace

from tailorlm.methods import p2p
from tailorlm.methods.asking import Asked, Together, profiles
from tailorlm.methods.own_items import ItemSettings, own_rows
from tailorlm.methods.owners import Owner


class Counting:
    """The bench's profiles, with the sizes of the calls."""

    def __init__(self, profile):
        self.profile, self.calls = profile, []

    def __call__(self, user_id, history, task):
        raise AssertionError("asked one by one")

    def many(self, asked):
        self.calls.append(len(asked))
        return [self.profile(*one) for one in asked]


def test_a_plain_profiler_is_asked_one_by_one(bench, people):
    asked = [Asked(user.id, user.history, None) for user in people[:2]]
    assert not isinstance(bench.profile, Together) and isinstance(Counting(bench.profile), Together)
    found = profiles(bench.profile, asked)
    assert found == [bench.profile(user.id, user.history, None) for user in people[:2]]


def test_training_p2p_asks_once_for_all_cuts_and_enrolling_once_for_all_users(bench, people):
    profile = Counting(bench.profile)
    plain, source = (p2p.Source(one, p2p.Settings()) for one in (bench, replace(bench, profile=profile)))
    told, same = source.examples(people[:3]), plain.examples(people[:3])
    assert profile.calls == [len(told.profiles)] and len(told.profiles) > 3
    assert (told.profiles, told.owners) == (same.profiles, same.owners)
    wanted = [Asked(user.id, user.history, None) for user in people]
    assert source.inputs.known(wanted) == plain.inputs.known(wanted) and profile.calls[1:] == [len(people)]


def test_rows_of_own_items_ask_once_for_what_was_before_each(bench, people):
    profile, settings = Counting(bench.profile), ItemSettings(items=3, context="profile_only")
    users = [replace(people[0], history=people[0].history[:2]), people[1]]
    some = [Owner(user) for user in users]
    wide = replace(bench, max_tokens=4000)
    rows = own_rows(replace(wide, profile=profile), some, settings, 0)
    assert profile.calls == [4]  # of five items one is the first, before which there is nothing
    assert rows == own_rows(wide, some, settings, 0)
