"""Profiles that came with the data."""

import pytest

from tailorlm.data.records import User
from tailorlm.profiles.given import NEUTRAL, VERSION, profile


def test_lines_are_statements():
    made = profile(User("u", (), "likes tea\n\n  shouts "), "t")
    assert [(s.facet, s.text) for s in made.statements] == [("line 1", "likes tea"), ("line 2", "shouts")]
    assert (made.user_id, made.task, made.template) == ("u", "t", VERSION)


@pytest.mark.parametrize("text", [None, "", " \n "])
def test_none_is_neutral(text):
    assert profile(User("u", (), text)).text == NEUTRAL
