"""Folders of anybody: what is broken is refused with its place, nothing of it is run, and no text is in the error."""

import json
import shutil
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from made_up_runs import TEXT, Fake, level, row, write_run

from tailorlm.evaluation.report import report
from tailorlm.evaluation.report_rows import COLUMNS, part_rows
from tailorlm.evaluation.report_run import read_runs
from tailorlm.evaluation.results import parse

PART = Path("rows/random/seed-0/base/lamp_2m/part-00000.parquet")
GOOD = {"methods": {"p2p": {"random": {"rating": 0.5}}}}


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return write_run(tmp_path / "run", [Fake("base", 0.3)], tasks=["lamp_2m"], splits=["random"], users=6, scored=level)


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("methods", {"p2p": 0.5}, "methods.p2p: expected a JSON object, found float"),
        ("methods", {"p2p": {"random": 0.5}}, "methods.p2p.random: expected a JSON object"),
        ("methods", {"p2p": {"random": {"rating": {"x": 0.5}}}}, "rating: expected a finite number, found dict"),
        ("intervals", {"p2p": {"random": {"rating": [0.1]}}}, "expected a JSON list of 2, found list"),
        ("differences", {"p2p - base": {"random": {"rating": {"mean": 0.1}}}}, 'field "low" is missing'),
        ("attributes", {"p2p": {"random": {"rating": {"mae": "1"}}}}, "mae: expected a finite number, found str"),
        ("attributes", {"p2p": {"random": {"rating": {"mae": 10**400}}}}, "mae: expected a finite number, found int"),
        ("same_users", {"p2p": {"rating": 7}}, "same_users.p2p.rating: 7: expected a score from 0 to 1"),
        ("harmed", {"p2p": {"random": None}}, "found NoneType"),
        ("drift", {"p2p": float("inf")}, "drift.p2p: expected a finite number"),
        ("timing", {"seconds": {"p2p": "1"}}, "timing.seconds.p2p"),
        ("timing", {"methods": {"p2p": {"random": {"once": [1]}}}}, "once: expected a finite number, found list"),
        ("timing", {"cumulative": {"p2p": [[1, 2, 3]]}}, "cumulative.p2p[0]: expected a JSON list of 2"),
        ("timing", {"break_even": {"a - b": 1.5}}, "break_even.a - b: expected a whole number"),
        ("timing", {"oppu_s_per_user": "slow"}, "oppu_s_per_user: expected a finite number, found str"),
        ("users", {"random": -1}, "users.random: expected a whole number, 0 or more"),
        ("users", {"random": True}, "users.random: expected a whole number, 0 or more, found bool"),
        ("needs", {"p2p": {"task_data": "no"}}, "task_data: expected true or false, found str"),
        ("failures", {"p2p": {"random": {"rows": 1, "failed": 1}}}, 'field "reasons" is missing'),
        ("gradient_norms", {"prisp": [[1, 2], [1]]}, "expected as many layers in every step"),
        ("gradient_norms", {"prisp": [[], []]}, "expected as many layers in every step, one at least"),
        ("curves", {"p2p": [{"step": 1, "loss": 1}]}, 'curves.p2p[0]: field "seconds" is missing'),
        ("targets", [{"what": "x", "wanted": "y", "got": "z", "met": 1}], "targets[0].met: expected true or false"),
        ("targets", [["x"]], "targets[0]: expected a JSON object, found list"),
    ],
)  # fmt: skip
def test_a_field_of_another_shape_is_refused_with_its_place(field: str, value: Any, said: str) -> None:
    with pytest.raises(ValueError) as caught:
        parse({**GOOD, field: value}, "there")
    assert said in str(caught.value) and str(caught.value).startswith("there: ")


def test_what_is_empty_or_null_passes() -> None:
    assert parse({**GOOD, "timing": {"break_even": {"a - b": None}, "oppu_s_per_user": None}, "curves": {}})
    assert parse({**GOOD, "drift": None}).drift == {}


def broken(path: Path, text: str) -> None:
    path.write_text(text)


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("results.json", "[" * 100_000, "results.json: no readable JSON (RecursionError)"),
        ("results.json", '{"methods"', "results.json: no readable JSON (JSONDecodeError)"),
        ("recipe.toml", "x = [[", "recipe.toml: no readable TOML"),
        ("recipe.toml", "x = " + "[" * 5000 + "]" * 5000, "recipe.toml: no readable TOML (RecursionError)"),
        ("rows/.plan.json", "{", "plan.json: no readable JSON"),
    ],
)
def test_a_broken_file_is_named(run: Path, name: str, text: str, said: str) -> None:
    broken(run / name, text)
    with pytest.raises(ValueError) as caught:
        read_runs([run])
    assert said in str(caught.value)


def test_a_stopped_evaluation_is_no_run(run: Path) -> None:
    (run / "rows" / ".plan.json").write_text('{"finished": true}')
    assert read_runs([run])
    (run / "rows" / ".plan.json").write_text('{"finished": false}')
    with pytest.raises(ValueError, match="was stopped before its results were whole: go on with --resume"):
        read_runs([run])
    (run / "results.json").unlink()
    with pytest.raises(ValueError, match="has no results.json: the evaluation was stopped, go on with --resume"):
        read_runs([run])
    shutil.rmtree(run / "rows")
    with pytest.raises(ValueError, match="expected a folder of `tailor eval` or demo"):
        read_runs([run])


def test_no_folder_a_file_and_one_run_twice(run: Path, tmp_path: Path) -> None:
    for path, said in ((tmp_path / "none", "no such folder"), (run / "recipe.toml", "is a file")):
        with pytest.raises(ValueError, match=said):
            read_runs([path])
    (tmp_path / "link").symlink_to(run)
    with pytest.raises(ValueError, match="is given twice"):
        read_runs([run, tmp_path / "link"])


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:200])


def bent(path: Path) -> None:
    """The pages are noise, the footer is whole."""
    whole = bytearray(path.read_bytes())
    whole[4:900] = b"\xff" * 896
    path.write_bytes(whole)


def told(path: Path, **columns: Any) -> None:
    """The part anew, with other columns."""
    table = pq.read_table(path)
    for name, values in columns.items():
        place = table.schema.get_field_index(name)
        table = table.remove_column(place) if values is None else table.set_column(place, name, values)
    pq.write_table(table, path)


def about(path: Path, said: bytes) -> None:
    pq.write_table(pq.read_table(path).replace_schema_metadata({b"tailorlm": said}), path)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (cut, "is no readable Parquet file"),
        (bent, "is no readable Parquet file"),
        (lambda path: path.write_bytes(b"PAR1"), "is no readable Parquet file"),
        (lambda path: pq.write_table(pa.table({"x": [1]}), path), "was not written by `tailor eval`"),
        (lambda path: about(path, b"{"), "what made it is no readable JSON"),
        (lambda path: about(path, b"[" * 100_000), "what made it is no readable JSON (RecursionError)"),
        (lambda path: about(path, b"[]"), "does not say which method made it"),
        (lambda path: about(path, b'{"method": 3}'), "does not say which method made it"),
        (lambda path: told(path, score=None), "has no column score"),
        (lambda path: told(path, score=pa.array(["0.5"] * 6)), "column score is not of type double"),
        (lambda path: told(path, user_id=pa.array([None] * 6, pa.string())), "column user_id has a row without"),
        (lambda path: told(path, score=pa.array([float("nan")] * 6)), "column score has nan"),
        (lambda path: told(path, score=pa.array([1.5] * 6)), "column score has 1.5: expected a score from 0 to 1"),
        (lambda path: told(path, enrol_seconds=pa.array([-1.0] * 6)), "column enrol_seconds has -1"),
    ],
)  # fmt: skip
def test_broken_rows_are_refused_with_their_file_and_without_text(
    run: Path, change: Callable[[Path], Any], said: str
) -> None:
    change(run / PART)
    with pytest.raises(ValueError) as caught:
        read_runs([run])
    assert said in str(caught.value) and PART.name in str(caught.value) and TEXT not in str(caught.value)


def test_only_the_columns_that_it_needs_are_read(run: Path) -> None:
    assert {name for one in part_rows(run / PART) for name in one} == {*COLUMNS}
    assert "output" not in COLUMNS and "failure" not in COLUMNS


def test_links_to_other_folders_are_not_followed(run: Path, tmp_path: Path) -> None:
    other = write_run(tmp_path / "other", [Fake("secret", 0.9)], tasks=["lamp_2m"], splits=["random"], users=3)
    (run / "rows" / "linked").symlink_to(other / "rows", target_is_directory=True)
    assert {method for method, _ in read_runs([run])[0].marks.scores} == {"base"}


def test_answers_without_ids_are_paired_by_what_was_asked(tmp_path: Path) -> None:
    asked = [("random", "u1", "first"), ("random", "u1", "second"), ("random", "u1", "second"), ("random", "u2", "x")]
    for name, order in (("a", asked), ("b", asked[::-1])):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "results.json").write_text(json.dumps(GOOD))
        rows = [{"split": split, "user_id": user, "task": None, "input": text, "target": text, "outputs": {"p2p": text}}
                for split, user, text in order]  # fmt: skip
        (folder / "answers.jsonl").write_text("".join(json.dumps(one) + "\n" for one in rows))
    a, b = read_runs([tmp_path / "a", tmp_path / "b"])
    assert a.marks.scores == b.marks.scores and len(a.marks.scores["p2p", "random"]) == 4
    assert a.marks.asked == b.marks.asked and len(a.marks.asked["random", ""]) == 3
    assert not any("first" in str(key) or "second" in str(key) for key in a.marks.scores["p2p", "random"])


def test_no_text_is_kept_of_rows(run: Path) -> None:
    marks = read_runs([run])[0].marks
    assert TEXT not in repr(marks.scores) + repr(marks.asked) + repr(marks.history)
    assert marks.history["random-005", "lamp_2m"] == row(Fake("base", 0.3), "random", "lamp_2m", 5).history_items == 4


def test_the_page_goes_where_it_is_told_and_is_private(run: Path, tmp_path: Path) -> None:
    made = report([run], tmp_path / "x.html")
    assert stat.S_IMODE(made.html.stat().st_mode) == 0o600
    with pytest.raises(ValueError, match="expected a name that ends in .html"):
        report([run], tmp_path / "x.pdf")
