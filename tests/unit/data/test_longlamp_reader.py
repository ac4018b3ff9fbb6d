"""LongLaMP, Personal Reddit and the empathic rows: columns, ids, histories, profiles, problems."""

import json

import pytest

from tailorlm.data.answers import asked_from
from tailorlm.data.empathic import read_empathic
from tailorlm.data.longlamp import COLUMNS, read_longlamp
from tailorlm.data.problems import DataError, Report
from tailorlm.data.records import Interaction
from tailorlm.data.reddit import read_reddit

REVIEW = {"overall": "2", "description": "D", "summary": "S", "reviewText": "R"}
ROWS = {
    "longlamp_abstract": (
        {"name": "u", "id": "p", "year": 2021, "input": "I", "output": "G"},
        {"id": "x", "title": "T", "abstract": "A", "year": 2021},
        ("T", "A"),
    ),
    "longlamp_topic": (
        {
            "author": "u",
            "gender": "f",
            "age": 3,
            "date": "2004-06-25",
            "input": "I",
            "summary": "S",
            "output": "G",
        },
        {"summary": "S", "content": "C", "date": "2004-06-25"},
        ("S", "C"),
    ),
    "longlamp_review": (
        {"reviewerId": "u", "date": "2014-04-22", "input": "I", **REVIEW, "reviewText": "G"},
        {**REVIEW, "date": "2014-04-22"},
        (
            'Generate the review text written by a reviewer who has given an overall rating of "2" for a product with '
            'description "D". The summary of the review text is "S".',
            "R",
        ),
    ),
}


def write(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.mark.parametrize("task", COLUMNS)
def test_columns_ids_and_times(tmp_path, task):
    row, item, (said, given) = ROWS[task]
    path = write(tmp_path / "f.jsonl", [row | {"profile": [item]}, row | {"profile": [item], "input": "J"}])
    dataset = read_longlamp(path, task)
    [only] = dataset.users["u"].history
    assert (only.input, only.output, only.task) == (said, given, task)
    assert [(one.id, one.input, one.target) for one in dataset.examples] == [
        ("u/0", "I", "G"),
        ("u/1", "J", "G"),
    ]
    assert only.time < dataset.examples[0].time
    assert dataset.users["u"].profile is None


@pytest.mark.parametrize("task", COLUMNS)
def test_rows_without_dates_and_with_bad_items(tmp_path, task):
    row, item, _ = ROWS[task]
    row, item = ({key: value for key, value in one.items() if key not in ("date", "year")} for one in (row, item))
    rows = [
        row | {"profile": [item, {}, item]},
        row | {"profile": 5},
        row | {COLUMNS[task].user: None, "profile": []},
    ]
    report = Report()
    dataset = read_longlamp(write(tmp_path / "f.jsonl", rows), task, "skip", report)
    assert len(dataset.users["u"].history) == 2 and len(dataset.examples) == 1
    assert dataset.examples[0].time is None
    assert [one.line for one in report.problems] == [1, 2, 3]
    with pytest.raises(DataError):
        read_longlamp(tmp_path / "f.jsonl", task)


@pytest.mark.parametrize("year", ["21", "20211", "2021-05", True, 0, 10_000, 2021.5, "0000"])
def test_a_year_is_a_number_of_four_digits(tmp_path, year):
    row, item, _ = ROWS["longlamp_abstract"]
    path = write(tmp_path / "f.jsonl", [row | {"profile": [item | {"year": year}]}])
    with pytest.raises(DataError, match=r"profile\[0\].year: .*a year"):
        read_longlamp(path, "longlamp_abstract")


@pytest.mark.parametrize("year", [2021, "2021", 2021.0])
def test_a_year_may_be_digits_or_a_whole_number_of_a_column_with_gaps(tmp_path, year):
    row, item, _ = ROWS["longlamp_abstract"]
    path = write(tmp_path / "f.jsonl", [row | {"profile": [item | {"year": year}]}])
    assert read_longlamp(path, "longlamp_abstract").users["u"].history[0].time == 1609459200.0


def test_the_hubs_gold_of_a_review_is_its_output(tmp_path):
    row, item, _ = ROWS["longlamp_review"]
    rows = [row | {"profile": [item], "output": "hub"}, row | {"profile": [item], "output": None}]
    dataset = read_longlamp(write(tmp_path / "f.jsonl", rows), "longlamp_review")
    assert [example.target for example in dataset.examples] == ["hub", "G"]


def test_an_unknown_task_is_a_value_error_before_anything_is_read(tmp_path):
    with pytest.raises(ValueError, match="longlamp_topic"):
        read_longlamp(tmp_path / "none", "lamp_1")


def test_a_year_whose_items_are_later_than_the_question(tmp_path):
    row, item, _ = ROWS["longlamp_abstract"]
    path = write(tmp_path / "f.jsonl", [row | {"profile": [item | {"year": 2022}]}])
    with pytest.raises(DataError, match="its future"):
        read_longlamp(path, "longlamp_abstract")


def test_an_unknown_longlamp_task(tmp_path):
    with pytest.raises(ValueError, match="longlamp_topic"):
        read_longlamp(tmp_path, "longlamp")


def reddit(user, n, **more):
    return {
        "user_id": user,
        "personality": {"age": 21, "birth_city_country": "Rotterdam", "income": None},
        "question_asked": f"q{n}",
        "response": f"r{n}",
        "feature": "age",
    } | more


def test_personal_reddit(tmp_path):
    rows = [reddit("u", 0), reddit("v", 1), *(reddit("u", n) for n in range(2, 11))]
    dataset = read_reddit(write(tmp_path / "f.jsonl", rows))
    assert dataset.users["u"].profile == "age: 21\nbirth city country: Rotterdam"
    assert dataset.users["u"].history[0] == Interaction("q0", "r0", None, "personal_reddit")
    assert len(dataset.users["u"].history) == 8
    assert [(one.id, one.target) for one in dataset.examples] == [
        ("u/8", "r9"),
        ("u/9", "r10"),
        ("v/0", "r1"),
    ]
    assert dataset.users["v"].history == ()


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"response": None}, "response"),
        ({"question_asked": 5}, "question_asked"),
        ({"personality": []}, "personality"),
        ({"personality": {"age": [1]}}, "personality"),
        ({"personality": {"age": 22}}, "profile"),
        ({"user_id": ""}, "user_id"),
    ],
)
def test_bad_reddit_rows(tmp_path, more, field):
    path = write(tmp_path / "f.jsonl", [reddit("u", 0), reddit("u", 1, **more), reddit("u", 2)])
    report = Report()
    dataset = read_reddit(path, "skip", report)
    assert [one.line for one in report.problems] == [2] and report.problems[0].field == field
    assert (len(dataset.users["u"].history), dataset.examples[0].target) == (1, "r2")
    with pytest.raises(DataError):
        read_reddit(path)


HEADER = "message_id\tresponse_id\tarticle_id\tempathy\tessay\tage\tpersonality_openess\tiri_fantasy"


def tsv(path, *rows, header=HEADER):
    path.write_text("\n".join([header, *rows]) + "\n", newline="")
    return path


def test_empathic(tmp_path):
    rows = [f'm{n}\tu\t{n}\t5.0\t"An ""essay"" {n}"\t26\t7.0\t' for n in range(5)]
    dataset = read_empathic(tsv(tmp_path / "f.tsv", *rows))
    assert dataset.users["u"].profile == "age: 26\npersonality openess: 7.0"
    assert dataset.users["u"].history[1] == Interaction("article 1", 'An "essay" 1', None, "empathic")
    [example] = dataset.examples
    assert (example.id, example.input, example.target) == ("u/4", "article 4", 'An "essay" 4')


@pytest.mark.parametrize(
    "row",
    [
        "m\tu\t1",
        'm\tu\t1\t5\t"open\t26\t7\t1',
        "m\t\t1\t5\tessay\t26\t7\t1",
        "m\tu\t1\t5\tes\0say\t26\t7.0\t",
        "x",
    ],
)
def test_bad_empathic_rows(tmp_path, row):
    good = "m\tu\t1\t5\tessay\t26\t7.0\t"
    path = tsv(tmp_path / "f.tsv", good, row, good)
    report = Report()
    dataset = read_empathic(path, "skip", report)
    assert [one.line for one in report.problems] == [3]
    assert len(dataset.users["u"].history) == 1 and len(dataset.examples) == 1
    with pytest.raises(DataError):
        read_empathic(path)


@pytest.mark.parametrize("header", ["a\tb", "response_id\tresponse_id\tarticle_id\tessay"])
def test_a_header_without_the_columns_raises(tmp_path, header):
    with pytest.raises(DataError, match="the header has to have"):
        read_empathic(tsv(tmp_path / "f.tsv", header=header), "skip")


def test_an_empty_file_has_no_users(tmp_path):
    path = tmp_path / "f.tsv"
    path.write_text("")
    assert read_empathic(path).users == {}


def test_the_last_fifth_is_asked():
    assert [asked_from(rows) for rows in (1, 2, 5, 9, 10, 40)] == [0, 1, 4, 8, 8, 32]
