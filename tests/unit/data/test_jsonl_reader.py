"""Our JSONL: what a good file gives, and what each kind of bad line gives."""

import pickle

import pytest
from jsonl_files import CANARY, GOOD, item, skipped, stops, user, write

from tailorlm.data.jsonl import read_users
from tailorlm.data.problems import KEPT, Report
from tailorlm.data.records import Example, Interaction, User


def test_a_user_a_line(tmp_path):
    line = {
        "user_id": "u1",
        "history": [
            {"input": "a", "output": "b", "time": 5, "task": "t"},
            {"input": "c", "output": "d", "time": 6},
        ],
        "profile": "likes c",
        "queries": [{"id": "q", "input": "e", "output": "f", "task": "t", "time": 7}, {"input": "g"}],
    }
    [(user, queries)] = read_users(write(tmp_path / "f.jsonl", line))
    assert user == User("u1", (Interaction("a", "b", 5.0, "t"), Interaction("c", "d", 6.0)), "likes c")
    assert queries == (Example("q", "u1", "t", "e", "f", 7.0), Example("u1/1", "u1", None, "g", None))


def test_empty_histories_nulls_and_blank_lines_are_fine(tmp_path):
    line = {"user_id": "u", "history": [], "profile": None, "queries": None}
    path = write(tmp_path / "f.jsonl", "", line, "   ", user("v", item(time=None, task=None)))
    assert [user.id for user, _ in read_users(path)] == ["u", "v"]


@pytest.mark.parametrize(
    ("line", "field", "reason"),
    [
        ("{", "", "not JSON"),
        ("[1]", "", "expected an object, found a list"),
        ('{"user_id": "u", "user_id": "v", "history": []}', "", "a key stands twice"),
        (
            '{"user_id": "u", "history": [{"input": "a", "output": "b", "input": "c"}]}',
            "history[0]",
            "stands twice",
        ),
        ('{"user_id": NaN, "history": []}', "user_id", "found a number"),
        (
            '{"user_id": "u", "history": [{"input": "a", "output": "b", "time": NaN}]}',
            "history[0].time",
            "years",
        ),
        (user("u", item(time=float("-inf"))), "history[0].time", "years"),
        (
            f'{{"user_id": "u", "history": [{{"input": "a", "output": "b", "time": {"9" * 5000}}}]}}',
            "history[0].time",
            "y",
        ),
        ("[" * 100_000, "", "nested too deeply"),
        ('{"a":' * 100_000, "", "nested too deeply"),
        ({"history": []}, "user_id", "missing"),
        ({"user_id": "u"}, "history", "missing"),
        ({"user_id": 5, "history": []}, "user_id", "expected text, found a number"),
        ({"user_id": True, "history": []}, "user_id", "expected text, found true or false"),
        ({"user_id": "", "history": []}, "user_id", "1 to 256 characters; this one has 0"),
        ({"user_id": "x" * 257, "history": []}, "user_id", "1 to 256 characters; this one has 257"),
        ({"user_id": "a\nb", "history": []}, "user_id", "characters that print"),
        ({"user_id": "u", "history": None}, "history", "expected a list, found null"),
        ({"user_id": "u", "history": {}}, "history", "expected a list, found an object"),
        (user("u", 5), "history[0]", "expected an object, found a number"),
        (user("u", {"input": "a"}), "history[0].output", "missing"),
        (user("u", item(output=None)), "history[0].output", "expected text, found null"),
        (user("u", item(output=4)), "history[0].output", "expected text, found a number"),
        (user("u", item(input=[CANARY])), "history[0].input", "expected text, found a list"),
        (user("u", item(), item(input="a\0b")), "history[1].input", "NUL"),
        (user("u", item(input="a\ud800b")), "history[0].input", "lone surrogate"),
        (user("u", item(input="", output="")), "history[0].output", "nothing in it"),
        (user("u", item(time="soon")), "history[0].time", "not YYYY-MM-DD"),
        (user("u", item(time="2014-04-22T10:00:00")), "history[0].time", "with an offset"),
        (user("u", item(time="2014-13-22")), "history[0].time", "not YYYY-MM-DD"),
        (user("u", item(time=True)), "history[0].time", "found true or false"),
        (user("u", item(time=1.7e12)), "history[0].time", "years 1 to 9999"),
        (
            '{"user_id": "u", "history": [{"input": "a", "output": "b", "time": 1e999}]}',
            "history[0].time",
            "years",
        ),
        (user("u", item(task="")), "history[0].task", "1 to 256"),
        (user("u", item(time=2), item(), item(time=1)), "history", "no order can be known"),
        (user("u", profile=5), "profile", "expected text"),
        (user("u", queries={}), "queries", "expected a list"),
        (user("u", queries=["x"]), "queries[0]", "expected an object"),
        (user("u", queries=[{"output": CANARY}]), "queries[0].input", "missing"),
        (user("u", queries=[{"id": 1, "input": CANARY}]), "queries[0].id", "expected text"),
        (user("u", item(time=9), queries=[{"input": "a", "time": 8}]), "queries[0].time", "its future"),
        (user("u", queries=[{"id": "q", "input": "a"}] * 2), "queries[].id", "q already stands at line 1"),
    ],
)
def test_a_problem_is_named_and_nothing_good_is_lost(tmp_path, line, field, reason):
    path = write(tmp_path / "f.jsonl", line, GOOD)
    problem = stops(path).problem
    assert (problem.file, problem.line, problem.field) == (str(path), 1, field)
    assert reason in problem.reason
    users, report = skipped(path)
    assert users[-1].id == "u1"
    assert report.count == 1 and report.problems == [problem]


def test_skip_leaves_out_the_item_and_keeps_the_user(tmp_path):
    queries = [{"input": "a", "output": 5}, {"input": "b"}]
    path = write(tmp_path / "f.jsonl", user("u", item(), item(time="x"), item(output="last"), queries=queries))
    report = Report()
    [(found, asked)] = read_users(path, "skip", report)
    assert [one.output for one in found.history] == [CANARY, "last"]
    assert [query.id for query in asked] == ["u/1"]
    assert report.count == 2
    assert report.fields == {"history[].time": 1, "queries[].output": 1}


def test_of_a_user_id_and_a_query_id_the_first_stands(tmp_path):
    asks = {"queries": [{"id": "q", "input": "a"}]}
    path = write(tmp_path / "f.jsonl", user("u"), user("v", **asks), user("u", item(), item()), user("w", **asks))
    report = Report()
    pairs = list(read_users(path, "skip", report))
    assert [(user.id, len(user.history), len(asked)) for user, asked in pairs] == [
        ("u", 1, 0),
        ("v", 1, 1),
        ("w", 1, 0),
    ]
    assert [str(problem).split(": ")[1] for problem in report.problems] == [
        "u already stands at line 1",
        "q already stands at line 2",
    ]


def test_a_bad_line_does_not_take_the_id_of_a_good_one(tmp_path):
    users, report = skipped(write(tmp_path / "f.jsonl", {"user_id": "u1", "history": 5}, GOOD))
    assert [user.id for user in users] == ["u1"] and report.count == 1


def test_times_out_of_order_are_sorted_stably_and_noted(tmp_path):
    history = [
        item(output="c", time=2),
        item(output="a", time="1970-01-01"),
        item(output="b", time="1970-01-01T01:00:01+01:00"),
    ]
    users, report = skipped(write(tmp_path / "f.jsonl", user("u", *history, item(output="d", time=2))))
    assert [one.output for one in users[0].history] == ["a", "b", "c", "d"]
    assert [one.time for one in users[0].history] == [0.0, 1.0, 2.0, 2.0]
    assert report.count == 0 and report.notes == {"history put in order of time": 1}


def test_some_times_in_order_keep_the_files_order(tmp_path):
    path = write(tmp_path / "f.jsonl", user("u", item(output="a", time=2), item(output="b"), item(output="c", time=2)))
    [(found, _)] = read_users(path)
    assert [one.output for one in found.history] == ["a", "b", "c"]


def test_a_query_of_a_day_is_after_that_days_items(tmp_path):
    queries = [{"input": "a", "time": "2014-04-22"}]
    [(found, [query])] = read_users(
        write(tmp_path / "f.jsonl", user("u", item(time="2014-04-22T23:00:00Z"), queries=queries))
    )
    assert query.time > found.history[0].time


def test_odd_json_in_keys_that_are_not_ours_is_ignored(tmp_path):
    line = '{"user_id": "u", "history": [], "x": [NaN, Infinity, %s, {"a": 1, "a": 2}]}' % ("9" * 5000)
    users, report = skipped(write(tmp_path / "f.jsonl", line))
    assert [user.id for user in users] == ["u"] and report.count == 0 and report.notes == {"ignored x": 1}


def test_keys_that_are_not_ours_are_counted(tmp_path):
    line = user("u", item(timestamp=5), queries=[{"input": "a", "answer": "b"}], name=CANARY)
    _, report = skipped(write(tmp_path / "f.jsonl", line, user("v", **{"my zebra! secret\n": 1})))
    assert report.notes == {
        "ignored name": 1,
        "ignored history[].timestamp": 1,
        "ignored queries[].answer": 1,
        "other": 1,
    }


def test_the_report_does_not_grow_with_the_file(tmp_path):
    rows = [{"user_id": i, "history": [], f"key{i}": 1} for i in range(300)]
    rows += [user(f"u{i}", **{f"key{i}": 1}) for i in range(300)]
    _, report = skipped(write(tmp_path / "f.jsonl", *rows))
    assert report.count == 300 and len(report.problems) == KEPT and len(report.notes) <= 101
    assert report.notes.total() == 300


def test_an_unknown_on_error_raises_at_once(tmp_path):
    with pytest.raises(ValueError, match='"stop" or "skip"'):
        read_users(tmp_path / "f.jsonl", "ignore")  # type: ignore[arg-type]


def test_the_error_survives_pickling_and_hides_its_cause(tmp_path):
    error = stops(write(tmp_path / "f.jsonl", "{" + CANARY))
    again = pickle.loads(pickle.dumps(error))
    assert str(again) == str(error) and again.problem == error.problem
    assert error.__cause__ is None and error.__suppress_context__
