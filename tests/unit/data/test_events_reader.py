"""The event-a-line form: streamed when users are together, grouped when they are not."""

import json

import pytest

from tailorlm.data import events
from tailorlm.data.jsonl import has_events, read_users
from tailorlm.data.problems import DataError, Report
from tailorlm.data.records import Interaction


def event(user, output, **more):
    return {"user_id": user, "input": "i", "output": output} | more


def write(path, *rows):
    path.write_text("".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows))
    return path


def read(path, on_error="stop", report=None):
    return {user.id: "".join(one.output for one in user.history) for user, _ in read_users(path, on_error, report)}


def test_users_together_are_streamed(tmp_path, monkeypatch):
    monkeypatch.setattr(events, "_grouped", None)
    path = write(tmp_path / "f.jsonl", event("u", "a", time=1, task="t"), event("u", "b"), event("v", "c"))
    [(user, queries), (other, _)] = read_users(path)
    assert user.history == (Interaction("i", "a", 1.0, "t"), Interaction("i", "b")) and queries == ()
    assert other.id == "v"


def test_users_apart_are_grouped_in_the_order_of_first_lines(tmp_path):
    rows = [
        event("v", "a"),
        event("u", "b"),
        event("v", "c", time=7, task="t"),
        event("w", "d"),
        event("u", "e"),
    ]
    path = write(tmp_path / "f.jsonl", *rows)
    assert read(path) == {"v": "ac", "u": "be", "w": "d"}
    assert list(read(path)) == ["v", "u", "w"]
    [(user, _), *_] = read_users(path)
    assert user.history[1] == Interaction("i", "c", 7.0, "t")


def test_times_put_events_in_order(tmp_path):
    report = Report()
    path = write(tmp_path / "f.jsonl", event("u", "b", time=2), event("v", "x"), event("u", "a", time="1970-01-01"))
    assert read(path, report=report) == {"u": "ab", "v": "x"}
    assert report.notes == {"history put in order of time": 1}


def test_a_user_whose_order_cannot_be_known_is_a_problem(tmp_path):
    path = write(
        tmp_path / "f.jsonl",
        event("u", "b", time=2),
        event("u", "x"),
        event("u", "a", time=1),
        event("v", "c"),
    )
    report = Report()
    assert read(path, "skip", report) == {"v": "c"}
    assert (report.problems[0].line, report.problems[0].field) == (3, "time")


@pytest.mark.parametrize("apart", [False, True])
@pytest.mark.parametrize(
    ("line", "field"),
    [
        ("{", ""),
        ({"user_id": 5, "input": "a", "output": "b"}, "user_id"),
        ({"user_id": "u", "input": "a"}, "output"),
        ({"user_id": "u", "input": "a", "output": "b", "time": "x"}, "time"),
        ({"user_id": "u", "history": []}, "history"),
    ],
)
def test_bad_lines_are_named_once_and_the_others_stay(tmp_path, apart, line, field):
    rows = [event("u", "a"), line, event("u", "b"), event("v", "c")] + [event("u", "d")] * apart
    path = write(tmp_path / "f.jsonl", *rows)
    report = Report()
    assert read(path, "skip", report) == {"u": "abd" if apart else "ab", "v": "c"}
    assert [(one.line, one.field) for one in report.problems] == [(2, field)]
    with pytest.raises(DataError) as caught:
        read(path)
    assert caught.value.problem.line == 2


def test_identical_events_stay_and_too_many_are_problems(tmp_path, monkeypatch):
    monkeypatch.setattr(events, "MAX_ITEMS", 3)
    report = Report()
    path = write(tmp_path / "f.jsonl", *[event("u", "a")] * 5, event("v", "b"))
    assert read(path, "skip", report) == {"u": "aaa", "v": "b"}
    assert [one.line for one in report.problems] == [4, 5]


def test_the_first_readable_line_says_the_form(tmp_path):
    user = {"user_id": "u", "history": []}
    bad = {"user_id": "x", "input": 5, "output": "a"}
    assert not has_events(write(tmp_path / "a.jsonl", bad, user, event("v", "a")))
    assert has_events(write(tmp_path / "b.jsonl", {"user_id": "u", "history": 5}, event("v", "a"), user))
    assert not has_events(write(tmp_path / "c.jsonl", "x"))
    report = Report()
    assert read(tmp_path / "a.jsonl", "skip", report) == {"u": ""}
    assert report.count == 2
