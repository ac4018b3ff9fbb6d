"""JSONL that is written reads back, and what would not is not written."""

import pytest

from tailorlm.data import jsonl
from tailorlm.data.jsonl import read_users, write_users
from tailorlm.data.records import Example, Interaction, User


def test_what_is_written_reads_back(tmp_path):
    history = (Interaction("a\n\u2028\t", '\U0001f600 "\\'), Interaction("", "b", 3.25, "t"))
    pairs = [
        (
            User("u1", history, ""),
            (Example("q", "u1", "t", "x", "", 4.0), Example("q2", "u1", None, "", None)),
        ),
        (User("u 2/..", ()), ()),
    ]
    path = tmp_path / "f.jsonl"
    assert write_users(path, iter(pairs)) == 2
    assert list(read_users(path)) == pairs
    assert path.stat().st_mode & 0o777 == 0o600
    assert [child.name for child in tmp_path.iterdir()] == ["f.jsonl"]


@pytest.mark.parametrize(
    "pairs",
    [
        [(User("u", (Interaction("a\0", "b"),)), ())],
        [(User("u", (Interaction("a\ud800", "b"),)), ())],
        [(User("u", (Interaction("a", "b", float("nan")),)), ())],
        [(User("u", (Interaction("a", "b", 2.0), Interaction("a", "b", 1.0))), ())],
        [(User("u", ()), (Example("q", "v", None, "a", None),))],
        [(User("", ()), ())],
        [(User("u", ()), ()), (User("u", ()), ())],
        [(User("u", (), "x" * 1_000_001), ())],
    ],
)
def test_what_would_not_read_back_is_not_written(tmp_path, pairs):
    path = tmp_path / "f.jsonl"
    path.write_text("before")
    with pytest.raises(ValueError, match="read"):
        write_users(path, pairs)
    assert path.read_text() == "before"
    assert len(list(tmp_path.iterdir())) == 1


def test_a_user_too_long_for_a_line_is_not_written(tmp_path, monkeypatch):
    monkeypatch.setattr(jsonl, "MAX_LINE", 100)
    with pytest.raises(ValueError, match="limit of a line"):
        write_users(tmp_path / "f.jsonl", [(User("u", (Interaction("a" * 50, "b" * 50),)), ())])
