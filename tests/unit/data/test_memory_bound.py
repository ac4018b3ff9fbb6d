"""Tens of thousands of lines are read in memory that does not depend on their number."""

import json
import tracemalloc

import pytest

from tailorlm.data.describe import describe
from tailorlm.data.jsonl import read_users, write_users
from tailorlm.data.load import stream
from tailorlm.data.problems import Report
from tailorlm.data.records import Interaction, User

LINES = {"users": 50_000, "together": 25_000, "apart": 25_000, "bad": 25_000}
BOUND = 2**19  # bytes; every file is at least five times as long


def lines(form):
    text = {"input": "q" * 60, "output": "a" * 20}
    for n in range(LINES[form]):
        if form == "users":
            yield {"user_id": f"u{n}", "history": [text]}
        elif form == "together":
            yield {"user_id": f"u{n // 10}", **text}
        elif form == "apart":
            yield {"user_id": f"u{n % (LINES[form] // 10)}", **text}
        else:
            yield {"user_id": f"u{n}", "history": [{"input": "q" * 60, "output": n}], f"key{n}": 1, **text}


@pytest.mark.parametrize("form", ["users", "together", "apart", "bad"])
def test_reading_needs_no_more_than_a_constant(tmp_path, form):
    path = tmp_path / "f.jsonl"
    with path.open("w") as out:
        out.writelines(json.dumps(line) + "\n" for line in lines(form))
    report = Report()
    next(iter(read_users(path, "skip", Report())))  # imports and caches are not what is measured
    tracemalloc.start()
    try:
        users = sum(1 for _ in read_users(path, "skip", report))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert users == LINES[form] // (1 if form in ("users", "bad") else 10)
    assert report.count == (LINES[form] if form == "bad" else 0)
    assert peak < BOUND < path.stat().st_size / 5


def questions(users, items):
    text = {"text": "x" * 150, "score": "5"}
    for n in range(users):
        profile = [{"id": f"{n}{i}", **text, "text": f"{n} {i} " + text["text"]} for i in range(items)]
        opening = "What is the score of the following review on a scale of 1 to 5?"
        yield {"id": str(n), "input": f"{opening} review: fine", "profile": profile}


def test_streaming_lamps_questions_needs_no_more_than_some_of_them(tmp_path):
    path = tmp_path / "dev_questions.json"
    with path.open("w") as out:
        for n, question in enumerate(questions(1000, 40)):
            out.write(("," if n else "[") + json.dumps(question))
        out.write("]")
    (tmp_path / "few.json").write_text(json.dumps(list(questions(2, 1))))
    assert len(list(stream(tmp_path / "few.json"))) == 2  # imports and caches are not what is measured
    tracemalloc.start()
    try:
        users = sum(len(user.history) == 40 for user, _ in stream(path))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert users == 1000 and peak < 2**21 < path.stat().st_size / 3


def test_writing_needs_no_more_than_a_constant(tmp_path):
    pairs = ((User(f"u{n}", (Interaction("q" * 600, "a"),)), ()) for n in range(10_000))
    tracemalloc.start()
    try:
        write_users(tmp_path / "f.jsonl", pairs)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < BOUND < (tmp_path / "f.jsonl").stat().st_size / 5


def test_describing_a_stream_needs_no_more_than_a_constant():
    pairs = ((User(f"u{n}", (Interaction("q" * 600, f"answer {n}"),) * (n % 9)), ()) for n in range(20_000))
    tracemalloc.start()
    try:
        found = describe(pairs)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert found["users"] == 20_000 and peak < BOUND
