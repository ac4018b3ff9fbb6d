"""What `tailor data check` says of a dataset."""

import json
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailorlm.data.describe import describe, spread
from tailorlm.data.problems import Place, Problem, Report
from tailorlm.data.records import Dataset, Example, Interaction, User


def test_counts_lengths_and_labels():
    history = tuple(Interaction("ab", label, 1.0, "tag") for label in ("x", "y", "x", "x", "y", "x") * 2)
    users = {"u": User("u", history, "p"), "v": User("v", ())}
    asked = (Example("1", "u", "tag", "abc", "x"), Example("2", "v", "free", "abcd", None))
    found = describe(Dataset(users, asked))
    assert found["users"] == 2 and found["users_with_profile"] == 1 and found["empty_histories"] == 1
    assert found["interactions"] == 12 and found["interactions_with_time"] == 12
    assert found["queries"] == 2 and found["queries_without_target"] == 1
    assert found["history"] == {"min": 0, "median": 0, "max": 12}
    assert found["input_chars"] == {"min": 2, "median": 2, "max": 2}
    assert found["query_input_chars"] == {"min": 3, "median": 3, "max": 4}
    assert found["query_output_chars"] == {"min": 1, "median": 1, "max": 1}
    assert found["tasks"] == {
        "free": {"interactions": 0, "interaction_labels": None, "queries": 1, "query_labels": None},
        "tag": {
            "interactions": 12,
            "interaction_labels": {"x": 8, "y": 4},
            "queries": 1,
            "query_labels": None,
        },
    }
    assert found["problems"]["count"] == 0
    json.dumps(found)


def test_a_stream_gives_what_the_dataset_gives():
    user = User("u", (Interaction("a", "b"),))
    query = Example("q", "u", None, "a", "b")
    assert describe(iter([(user, (query,))])) == describe(Dataset({"u": user}, (query,)))


def test_nothing_at_all():
    found = describe(Dataset({}, ()))
    assert found["users"] == 0 and found["history"] is None and found["tasks"] == {}


@pytest.mark.parametrize(
    "outputs",
    [
        [f"free {n}" for n in range(100)],
        ["x" * 41] * 100,
        [f"{n % 31}" for n in range(1000)],
        ["rare", "other"] * 4,
    ],
)
def test_free_text_is_never_printed(outputs):
    user = User("u", tuple(Interaction("a", output) for output in outputs))
    assert describe(Dataset({"u": user}, ()))["tasks"][""]["interaction_labels"] is None


def test_the_report_is_part_of_it():
    report = Report()
    report.add(Problem("f", 3, "history[2].time", "bad"))
    report.note("history put in order of time")

    found = describe(iter([]), report)
    assert found["problems"] == {
        "count": 1,
        "by_field": {"history[].time": 1},
        "first": ["f, line 3, field history[2].time: bad"],
        "notes": {"history put in order of time": 1},
    }


def test_problems_of_a_whole_line_or_file_say_so():
    assert str(Problem("f", 0, "", "bad")) == "f: bad"
    assert str(Problem("f", 2, "", "bad", Place("f", 2, "item").unit)) == "f, item 2: bad"


@given(st.lists(st.integers(0, 1000), min_size=1))
def test_the_median_is_the_lower_one(lengths):
    middle = sorted(lengths)[(len(lengths) - 1) // 2]
    assert spread(Counter(lengths)) == {"min": min(lengths), "median": middle, "max": max(lengths)}
