"""Sensitive traits are found where they are named, and not in what only looks like them."""

import pytest

from tailorlm.profiles.sensitive import TRAITS, named


@pytest.mark.parametrize(
    ("text", "trait"),
    [
        ("has been Diagnosed with something", "health"),
        ("attends a catholic school", "religion"),
        ("proud of their race", "ethnicity"),
        ("usually votes for the greens", "political opinion"),
        ("is openly gay", "sexual life"),
        ("was arrested twice", "criminal record"),
        ("came as a refugee", "immigration status"),
        ("mentions a salary", "money"),
        ("write to ann@example.org", "contact details"),
        ("call +49 30 1234567", "contact details"),
        ("lives in Bern", "contact details"),
    ],
)
def test_named_traits_are_found(text, trait):
    assert trait in named(text)


@pytest.mark.parametrize(
    "text",
    [
        "likes films on the race to the moon", "writes of political news", "prefers comedy in 1999 and 2004",
        "opens with the words ok so", "deliberates long", "rates 4 of 5", "enjoys prison dramas",
    ],
)  # fmt: skip
def test_other_texts_name_none(text):
    assert named(text) == ()


def test_own_traits_are_found_by_their_words():
    assert named("collects stamps", ("stamps",)) == ("stamps",) and named("collects stamps", ()) == ()
    assert "health" in TRAITS
