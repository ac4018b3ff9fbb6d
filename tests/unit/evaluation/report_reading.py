"""A report of runs' folders as values and as its two forms."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from made_up_runs import Fake, level, write_run

from tailorlm.evaluation.grids import Cell, Grid
from tailorlm.evaluation.report import Report, report
from tailorlm.evaluation.report_content import Content, content
from tailorlm.evaluation.report_run import read_runs

LABELS = ["lamp_2m"]


def read(folders: Sequence[Path], against: str | None = None) -> Content:
    return content(read_runs(folders), against)


def page(tmp_path: Path, folders: Sequence[Path], share: bool = False) -> tuple[str, str, Report]:
    made = report(folders, tmp_path / "page.html", share=share)
    return made.html.read_text(encoding="utf-8"), made.markdown.read_text(encoding="utf-8"), made


def one(folder: Path, *fakes: Fake, **kept: Any) -> Path:
    return write_run(folder, fakes, **{"tasks": LABELS, "splits": ["random"], "scored": level, **kept})


def rows_of(grid: Grid) -> dict[str, tuple[Cell, ...]]:
    return {row.name: row.cells for row in grid.rows}
