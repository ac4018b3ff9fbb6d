"""`tailor report`: one page, and Markdown beside it, of one run or several.

Knows nothing of what a report says or looks like (evaluation/report.py). Source: issue 4 (report).
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tailorlm.commands.places import new_file
from tailorlm.commands.result import Result, counted
from tailorlm.evaluation.report import Report, report, table_lines
from tailorlm.evaluation.report_apart import remarks
from tailorlm.evaluation.report_figures import missing

PAGE = "report.html"


def run(folders: Sequence[Path], out: Path | None, against: str | None, share: bool, overwrite: bool = False) -> Result:
    """The tables, and where the report is. ValueError for several runs without `out`, and for an `out` that is there
    unless `overwrite`; a run's own page, without `out`, is always replaced.
    """
    if out is None and len(folders) > 1:
        raise ValueError(f"{counted(len(folders), 'run')}: say with --out FILE.html where the page goes")
    made = report(folders, folders[0] / PAGE if out is None else new_file(out, overwrite), against, share)
    drawn = [one.figure.title for one in made.content.figures if one.plots]
    apart = remarks(made.content.board.runs) if len(folders) > 1 else []
    lines = [
        *table_lines(made.content.results),
        "",
        *apart,
        f"figures: {', '.join(drawn) or 'none'}; the page says what would make the others",
        f"{made.html}, {made.markdown}{'' if share else ' (with texts of users: --share leaves them out)'}",
    ]
    return Result(found(made, drawn) | {"remarks": apart}, lines)


def found(made: Report, drawn: Sequence[str]) -> dict[str, Any]:
    """What `--json` prints."""
    results = made.content.results
    return {
        "report": str(made.html), "markdown": str(made.markdown),
        "runs": [str(run.folder) for run in made.content.board.runs], "against": made.content.against,
        "methods": results.methods, "failures": {name: results.failed(name)[0] for name in results.failures},
        "figures": drawn, "missing": dict(missing(made.content.figures)),
    }  # fmt: skip
