"""JSONL as bytes: encodings, line ends, gzip, limits, what is cut off or damaged."""

import gzip
import json

import pytest
from jsonl_files import GOOD, item, skipped, stops, user, write

from tailorlm.data import fields, lines
from tailorlm.data.jsonl import read_users
from tailorlm.data.problems import DataError


def test_gzip_bom_and_windows_line_ends(tmp_path):
    path = tmp_path / "f.jsonl.gz"
    path.write_bytes(gzip.compress(b"\xef\xbb\xbf" + json.dumps(GOOD).encode() + b"\r\n\r\n"))
    assert [user.id for user, _ in read_users(path)] == ["u1"]


def test_bytes_that_are_not_utf8(tmp_path):
    path = tmp_path / "f.jsonl"
    latin = json.dumps(user("v", item(output="caf\xe9")), ensure_ascii=False).encode("latin-1")
    path.write_bytes(latin + b"\n" + json.dumps(GOOD).encode() + b"\n")
    assert "not UTF-8 at byte" in str(stops(path))
    users, report = skipped(path)
    assert [user.id for user in users] == ["u1"] and report.count == 1


def test_encoded_surrogates_are_not_utf8(tmp_path):
    path = tmp_path / "f.jsonl"
    path.write_bytes(b'{"user_id": "u", "history": [], "profile": "\xed\xa0\x80"}\n')
    assert "not UTF-8" in str(stops(path))


def test_utf16_is_named(tmp_path):
    path = tmp_path / "f.jsonl"
    path.write_text(json.dumps(GOOD), encoding="utf-16")
    assert "UTF-16" in str(stops(path))
    assert skipped(path)[0] == []


def test_a_byte_order_mark_elsewhere_is_a_problem(tmp_path):
    users, report = skipped(write(tmp_path / "f.jsonl", GOOD, "\ufeff" + json.dumps(user("v"))))
    assert [user.id for user in users] == ["u1"] and report.count == 1


def test_limits_of_a_text_a_line_and_a_history(tmp_path, monkeypatch):
    monkeypatch.setattr(fields, "MAX_TEXT", 100)
    monkeypatch.setattr(lines, "MAX_LINE", 1000)
    monkeypatch.setattr(fields, "MAX_ITEMS", 5)
    path = write(
        tmp_path / "f.jsonl",
        user("long", item(output="x" * 101), item(output="x" * 100)),
        user("line", item(), profile="x" * 2_000_000),
        user("many", *[item()] * 6),
        GOOD,
    )
    users, report = skipped(path)
    assert [(user.id, len(user.history)) for user in users] == [("long", 1), ("u1", 1)]
    assert [(one.line, one.field, one.reason) for one in report.problems] == [
        (1, "history[0].output", "101 characters; at most 100 are read"),
        (2, "", "longer than 1000 bytes, the limit of a line"),
        (3, "history", "6 items; at most 5 are read"),
    ]


def test_a_line_of_just_the_limit_is_read(tmp_path, monkeypatch):
    line = json.dumps(GOOD)
    monkeypatch.setattr(lines, "MAX_LINE", len(line))
    path = tmp_path / "f.jsonl"
    for end in ("\n", ""):
        path.write_text(line + end + (line.replace("u1", "u2") + end if end else ""))
        assert [user.id for user in skipped(path)[0]] == (["u1", "u2"] if end else ["u1"])


def test_a_last_line_cut_off_is_a_problem(tmp_path):
    path = tmp_path / "f.jsonl"
    path.write_text(json.dumps(GOOD) + "\n" + json.dumps(user("v"))[:-3])
    users, report = skipped(path)
    assert [user.id for user in users] == ["u1"] and report.problems[0].line == 2


def test_files_that_cannot_be_opened_raise_whatever_on_error(tmp_path):
    for path in (tmp_path / "none.jsonl", tmp_path):
        with pytest.raises(DataError, match="no such file|not a regular file"):
            list(read_users(path, "skip"))


def test_damaged_gzip_keeps_the_lines_before(tmp_path):
    rows = "".join(json.dumps(user(f"u{i}", item(output=str(hash(str(i)))))) + "\n" for i in range(3000))
    path = tmp_path / "f.jsonl.gz"
    whole = gzip.compress(rows.encode())
    path.write_bytes(whole[: len(whole) // 2])
    users, report = skipped(path)
    assert len(users) > 500 and [user.id for user in users[:2]] == ["u0", "u1"]
    assert report.count >= 1 and "damaged" in report.problems[-1].reason
    path.write_bytes(b"not gzip at all")
    assert skipped(path)[0] == []
    assert "damaged" in str(stops(path))
