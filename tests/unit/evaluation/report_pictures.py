"""What the figures of the report draw of runs' folders, as plain numbers to compare."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tailorlm.evaluation.plots import Bars, Lines, Plot, Scatter
from tailorlm.evaluation.report_figures import shown
from tailorlm.evaluation.report_merge import board
from tailorlm.evaluation.report_run import read_runs

LABELS = ["lamp_2m"]


def bare(folder: Path, **fields: Any) -> Path:
    """A run's folder of results alone."""
    folder.mkdir(parents=True)
    methods = {"base": {"random": {"lamp_2m": 0.5}}, "p2p": {"random": {"lamp_2m": 0.6}}}
    (folder / "results.json").write_text(json.dumps({"methods": methods, **fields}))
    return folder


def drawn(title: str, folders: Sequence[Path]) -> list[Plot]:
    """The pictures of the figure of that title."""
    return list(next(one.plots for one in shown(board(read_runs(folders))) if one.figure.title == title))


def points(plot: Plot) -> dict[str, list[tuple[float, float]]]:
    """Each line's points."""
    assert isinstance(plot, Lines | Scatter)
    return {line.name: [(point.x, pytest.approx(point.y)) for point in line.points] for line in plot.lines}


def bars(plot: Plot) -> dict[str, dict[str, float]]:
    """Each group's bars."""
    assert isinstance(plot, Bars)
    return {heading: {bar.name: pytest.approx(bar.value) for bar in found} for heading, found in plot.groups}
