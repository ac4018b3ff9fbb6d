"""Letter case, endings and emoji of single texts."""

import pytest

from tailorlm.profiles.marks import case, emoji, ending, words


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("rain hits town", "lower"),
        ("RAIN HITS TOWN", "upper"),
        ("RAIN HITS TOWN ON monday at noon", "mixed"),
        ("Rain Hits Town", "title"),
        ("Rain Hits the Town at Last", "title"),
        ("Rain hits town", "sentence"),
        ("Rain hits town and Berlin again", "sentence"),
        ("Rain", "sentence"),
        ("rain hits Berlin And Rome Then", "mixed"),
        ("@SouthWest http://X.Y/Z #Fail so late again", "lower"),
        ("'tis the season's end", "lower"),
        ("123 !!", "mixed"),
        ("", "mixed"),
        ("ÉTÉ À PARIS", "upper"),
    ],
)
def test_case(text, expected):
    assert case(words(text)) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Just in: rain hits town", "after"),
        ("just in: rain hits town", "lower"),
        ("BREAKING NEWS: rain hits town", "after"),
        ("Just in: Rain hits town", "sentence"),
        ("JUST IN: RAIN HITS TOWN", "upper"),
        ("Just In: Rain Hits Town", "title"),
    ],
)
def test_case_after_a_fixed_opening(text, expected):
    assert case(words(text), opening=2) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("so late", "none"),
        ("so late.", "stop"),
        ("so late!", "exclamation"),
        ("so late!!!", "exclamations"),
        ("so late?", "question"),
        ("so late...", "ellipsis"),
        ("so late\u2026", "ellipsis"),
        ("so late;", "other"),
        ("so late! 😂", "exclamation"),
        ("so late ❤️", "none"),
        ("so late 👍🏽", "none"),
        ('he said "so late."', "stop"),
        ("", "none"),
    ],
)
def test_ending(text, expected):
    assert ending(text) == expected


def test_emoji_lose_variants_and_skin_tones():
    assert emoji("ok 👍🏽 👍 ❤️ fine") == {"👍", "❤"}
    assert emoji("plain: text 1 2 3") == set()
