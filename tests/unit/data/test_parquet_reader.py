"""Parquet rows: values as they are, shards in order, and hostile files."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tailorlm.data import parquet
from tailorlm.data.load import load
from tailorlm.data.longlamp import COLUMNS, read_longlamp
from tailorlm.data.problems import DataError, Faults, Report

CALM = settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
CANARY = "zebrasecret"


def write(path: Path, rows: list[dict[str, object]], **more: object) -> Path:
    pq.write_table(pa.Table.from_pylist(rows), path, **more)
    return path


def read(*paths: Path, columns: tuple[str, ...] = ("a", "p")) -> tuple[list[tuple[str, int, object]], Report]:
    faults = Faults("skip")
    found = [(Path(place.file).name, place.line, row) for place, row in parquet.rows(paths, columns, faults)]
    return found, faults.report


def not_utf8() -> pa.Array:
    content = CANARY.encode() + b"\xff"
    offsets = b"".join(n.to_bytes(4, "little") for n in (0, len(content), len(content) + 2))
    return pa.Array.from_buffers(pa.string(), 2, [None, pa.py_buffer(offsets), pa.py_buffer(content + b"ok")])


def test_rows_of_shards_follow_each_other_and_are_counted_by_file(tmp_path):
    rows = [{"a": f"{n}", "p": [{"x": n, "y": None}], "left": n} for n in range(40)]
    one, two = write(tmp_path / "1.parquet", rows[:33], row_group_size=10), write(tmp_path / "2.parquet", rows[33:])
    found, report = read(one, two)
    assert [row for _, _, row in found] == [{"a": row["a"], "p": row["p"]} for row in rows]
    assert [place[:2] for place in found[31:35]] == [
        ("1.parquet", 32),
        ("1.parquet", 33),
        ("2.parquet", 1),
        ("2.parquet", 2),
    ]
    assert not report.count and parquet.names(one) == ["a", "p", "left"]


def test_a_text_that_is_not_utf8_is_a_problem_of_its_row(tmp_path):
    pq.write_table(pa.table({"a": not_utf8(), "p": pa.array([1, 2])}), tmp_path / "f.parquet")
    found, report = read(tmp_path / "f.parquet")
    assert [(line, row["a"]) for _, line, row in found] == [(2, "ok")]
    [problem] = report.problems
    assert (problem.line, problem.unit, problem.field, problem.reason) == (1, "row", "a", "a text that is not UTF-8")


def test_values_without_a_python_form_and_rows_beyond_the_limit(tmp_path, monkeypatch):
    twice = pa.StructArray.from_arrays([pa.array(["1"]), pa.array(["2"])], names=["k", "k"])
    pq.write_table(pa.table({"a": twice}), tmp_path / "f.parquet")
    assert read(tmp_path / "f.parquet")[1].problems[0].reason == "a value that cannot be read"
    monkeypatch.setattr(parquet, "MAX_ROW", 1000)
    path = write(tmp_path / "g.parquet", [{"a": "x" * 2000}, {"a": "y"}])
    found, report = read(path)
    assert [row for _, _, row in found] == [{"a": "y"}] and "at most 1000 of a row" in report.problems[0].reason


def test_a_column_twice_and_files_that_are_none(tmp_path):
    table = pa.Table.from_arrays([pa.array(["1"]), pa.array(["2"])], names=["a", "a"])
    pq.write_table(table, tmp_path / "f.parquet")
    for path, reason in [
        (tmp_path / "f.parquet", "a column stands twice"),
        (tmp_path / "none.parquet", "no such file"),
        (tmp_path, "not a regular file"),
    ]:
        with pytest.raises(DataError, match=reason):
            read(path)
        with pytest.raises(DataError, match=reason):
            parquet.names(path)


def question(n: int, **more: object) -> dict[str, object]:
    return {
        "author": f"u{n}",
        "input": "i",
        "output": f"{CANARY} {n}",
        "profile": [{"summary": "s", "content": CANARY}],
    } | more


@pytest.mark.parametrize("share", [0.0, 0.2, 0.5, 0.9, 0.999])
def test_a_truncated_file_raises(tmp_path, share):
    path = write(tmp_path / "f.parquet", [question(n) for n in range(50)])
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(DataError, match="footer cannot be read"):
        load(path, "skip")


def test_damage_on_the_way_leaves_the_rows_before_it(tmp_path):
    rows = [question(n) for n in range(400)]
    path = write(tmp_path / "f.parquet", rows, row_group_size=40, compression="zstd", use_dictionary=False)
    chunk = pq.ParquetFile(path).metadata.row_group(3).column(0)
    content = bytearray(path.read_bytes())
    at = chunk.data_page_offset
    content[at : at + chunk.total_compressed_size] = b"\xff" * chunk.total_compressed_size
    path.write_bytes(bytes(content))
    report = Report()
    dataset = read_longlamp(path, "longlamp_topic", "skip", report)
    assert list(dataset.users) == [f"u{n}" for n in range(len(dataset.users))] and 100 <= len(dataset.users) <= 120
    [problem] = report.problems
    assert "cannot be read from here on" in problem.reason and problem.line == len(dataset.users) + 1
    with pytest.raises(DataError):
        read_longlamp(path, "longlamp_topic")


@CALM
@given(places=st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), min_size=1, max_size=6))
def test_any_bytes_changed(tmp_path, places):
    path = write(tmp_path / "f.parquet", [question(n) for n in range(5)])
    content = bytearray(path.read_bytes())
    for at, value in places:
        content[at % len(content)] = value
    path.write_bytes(bytes(content))
    for on_error in ("stop", "skip"):
        report = Report()
        try:
            load(path, on_error, report)
        except DataError as error:
            assert CANARY not in str(error)
        assert all(CANARY not in str(problem) for problem in report.problems)


TYPES = [
    pa.string(), pa.large_string(), pa.binary(), pa.int64(), pa.float64(), pa.bool_(), pa.date32(), pa.timestamp("us"),
    pa.decimal128(9, 2), pa.list_(pa.string()), pa.struct([("summary", pa.string())]),
    pa.dictionary(pa.int32(), pa.string()), pa.null(),
    pa.list_(pa.struct([("summary", pa.string()), ("content", pa.int64())])),
]  # fmt: skip


@pytest.mark.parametrize("task", COLUMNS)
@CALM
@given(types=st.fixed_dictionaries({name: st.sampled_from(TYPES) for name in ("user", "input", "gold", "profile")}))
def test_any_types(tmp_path, task, types):
    """Whatever the columns' types are: a dataset, or a DataError that names the file, the row and the field."""
    columns = COLUMNS[task]
    fields = {
        columns.user: types["user"],
        "input": types["input"],
        columns.gold[0]: types["gold"],
        "profile": types["profile"],
    }
    path = tmp_path / "f.parquet"
    pq.write_table(pa.table({name: pa.array([None, *_value(kind)], kind) for name, kind in fields.items()}), path)
    with pytest.raises(DataError) as caught:
        load(path)
    problem = caught.value.problem
    assert (problem.file, problem.line, problem.unit) == (str(path), 1, "row") and problem.field in fields
    report = Report()
    load(path, "skip", report)
    assert report.count >= 1


def _value(kind: pa.DataType) -> list[object]:
    made = {
        pa.binary(): b"x", pa.int64(): 1, pa.float64(): float("nan"), pa.bool_(): True, pa.date32(): 1,
        pa.timestamp("us"): 1,
        pa.list_(pa.string()): [None, "a"], pa.struct([("summary", pa.string())]): {"summary": None}, pa.null(): None,
    }  # fmt: skip
    if pa.types.is_decimal(kind):
        return [1]
    if pa.types.is_list(kind) and pa.types.is_struct(kind.value_type):
        return [[None, {"summary": None, "content": 3}]]
    return [made.get(kind, "x")]


def test_nested_nulls_are_problems_of_their_items(tmp_path):
    items = [
        None,
        {"summary": None, "content": "c"},
        {"summary": "s", "content": None},
        {"summary": "s", "content": "c"},
    ]
    path = write(tmp_path / "f.parquet", [question(0, profile=items), question(1, profile=None), question(2)])
    report = Report()
    dataset = load(path, "skip", report)
    assert [len(user.history) for user in dataset.users.values()] == [1, 1] and list(dataset.users) == ["u0", "u2"]
    assert [(one.line, one.field) for one in report.problems] == [
        (1, "profile[0]"), (1, "profile[1].summary"), (1, "profile[2].content"), (2, "profile"),
    ]  # fmt: skip


def test_huge_strings_are_problems_of_their_items(tmp_path):
    items = [{"summary": "s", "content": "x" * 1_000_001}, {"summary": "s", "content": "c"}]
    report = Report()
    dataset = load(write(tmp_path / "f.parquet", [question(0, profile=items)]), "skip", report)
    assert len(dataset.users["u0"].history) == 1 and "at most 1000000" in report.problems[0].reason


texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=9)
topics = st.fixed_dictionaries(
    {
        "author": texts.filter(str.isprintable), "input": texts, "output": texts,
        "profile": st.lists(st.fixed_dictionaries({"summary": texts, "content": texts}), min_size=1, max_size=3),
    }
)  # fmt: skip


@CALM
@given(rows=st.lists(topics, min_size=1, max_size=5))
def test_parquet_lines_and_arrays_read_the_same(tmp_path, rows):
    found = [write(tmp_path / "f.parquet", rows), tmp_path / "f.jsonl", tmp_path / "f.json"]
    found[1].write_text("".join(json.dumps(row) + "\n" for row in rows))
    found[2].write_text(json.dumps(rows))
    one, *others = [load(path, "skip") for path in found]
    assert all(other == one for other in others)
