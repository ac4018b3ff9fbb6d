"""Progress: lines with the time left elsewhere, a bar in a terminal; the files' own faults."""

import io
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from rich.console import Console

from tailorlm.evaluation.rows import Row, read_about, read_part, write_part
from tailorlm.evaluation.runner_progress import progress


def shown(terminal: bool) -> str:
    out = io.StringIO()
    with progress(30, Console(file=out, force_terminal=terminal, width=100), 1e9) as show:
        for name in ("base", "p2p", "base"):
            show(name, 10)
    return out.getvalue()


def test_lines_and_bar() -> None:
    lines = shown(False).splitlines()
    assert [line.split(",")[0] for line in lines] == [
        "base: 10 of 30 rows",
        "p2p: 20 of 30 rows",
        "base: 30 of 30 rows",
    ]
    assert lines[-1].endswith("0:00 left") and "30/30" in shown(True)


def test_files_that_are_no_parts_are_said(tmp_path: Path) -> None:
    path = tmp_path / "part-00000.parquet"
    path.write_text("no parquet")
    with pytest.raises(ValueError, match="is no readable Parquet file"):
        read_about(path)
    pq.write_table(pa.table({"a": [1]}), path)
    with pytest.raises(ValueError, match="was not written by `tailor eval`"):
        read_about(path)
    with pytest.raises(ValueError, match="has other columns than rows have here: .*example_id"):
        list(read_part(path))


def test_a_part_is_whole_or_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one = Row(
        example_id="q", user_id="u", task="t", method="m", adapter="a", context="c", split="dev", seed=0,
        history_items=1, target="x",
    )  # fmt: skip
    path = tmp_path / "rows" / "part-00000.parquet"
    write_part(path, [one], {"a": "\ud800"})
    assert list(read_part(path)) == [one] and read_about(path) == {"a": "\ud800"}

    def stop(*given: object, **more: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(pq, "write_table", stop)
    with pytest.raises(KeyboardInterrupt):
        write_part(path, [one, one], {})
    assert list(read_part(path)) == [one] and [found.name for found in path.parent.iterdir()] == [path.name]
