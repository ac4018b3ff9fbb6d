"""Reports of runs' folders: one self-contained HTML page, and Markdown beside it.

The page of a private report holds a few users' texts: it is readable by its owner only, and so is the Markdown. A
report to share holds no user's text, id or reason of failure. Knows nothing of how they look (page.py,
report_markdown.py). Files are replaced atomically. Source: issue 4 (report).
"""

import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tailorlm.evaluation.answers import Row
from tailorlm.evaluation.page import page
from tailorlm.evaluation.report_content import Content, content
from tailorlm.evaluation.report_markdown import MARK, text
from tailorlm.evaluation.report_run import Run, examples, read_runs
from tailorlm.evaluation.terminal import table_lines

__all__ = ["Report", "report", "table_lines", "write_report"]

PRIVATE, SHARED = 0o600, 0o644


@dataclass(frozen=True)
class Report:
    """What was written where, and what it says."""

    html: Path
    markdown: Path
    content: Content


def write_report(directory: Path | str) -> Path:
    """Writes `report.html` and `report.md` into a run's folder and gives the page's path; private.

    Raises ValueError with file, line and field where the results or answers are malformed.
    """
    folder = Path(directory)
    return report([folder], folder / "report.html").html


def report(folders: Sequence[Path | str], out: Path, against: str | None = None, share: bool = False) -> Report:
    """Writes the page of one run or several to `out`, and Markdown beside it.

    `against`: the method that all are tested against. ValueError for folders that are no runs, a name that is no
    page's, and Markdown there that somebody else wrote.
    """
    beside = checked(out)
    runs = read_runs(folders)
    found = content(runs, against)
    whole = page(found, [] if share else shown(runs), not share)
    mode = SHARED if share else PRIVATE
    return Report(written(out, whole, mode), written(beside, text(found), mode), found)


def checked(out: Path) -> Path:
    """Where the Markdown goes. ValueError where it would be put over a file of somebody else."""
    if out.suffix not in (".html", ".htm"):
        raise ValueError(f"--out {out}: expected a name that ends in .html")
    beside = out.with_suffix(".md")
    if beside.is_dir() or (
        beside.exists() and not beside.read_text(encoding="utf-8", errors="replace").startswith(MARK)
    ):
        raise ValueError(f"{beside} is there and no report: the Markdown goes there, choose another --out")
    return beside


def shown(runs: Sequence[Run]) -> list[tuple[str, str, list[Row]]]:
    """The users to show of each run, with the run's name where there are several."""
    several = len(runs) > 1
    return [(run.name if several else "", split, rows) for run in runs for split, rows in examples(run)]


def written(path: Path, text: str, mode: int) -> Path:
    """Puts `text` in place of a file in one step."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".report-", suffix=path.suffix)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(name, mode)
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    return path
