"""A run folder's report: reads `results.json` and `answers.jsonl`, writes one self-contained `report.html`.

Knows nothing of how it looks (page.py). The file is replaced atomically and readable by its owner only,
because it holds users' text.
"""

import os
import tempfile
from pathlib import Path

from tailorlm.evaluation.answers import shown_users
from tailorlm.evaluation.page import page
from tailorlm.evaluation.results import read_results
from tailorlm.evaluation.terminal import table_lines

__all__ = ["table_lines", "write_report"]

SHOWN = {"random": 2, "ood": 1}
"""How many users' answers are shown of each split."""


def write_report(directory: Path | str) -> Path:
    """Writes `report.html` into a run folder and gives its path; without `answers.jsonl`, no examples.

    Raises ValueError with file, line and field where the results or answers are malformed.
    """
    folder = Path(directory)
    answers = folder / "answers.jsonl"
    examples = shown_users(answers, SHOWN) if answers.exists() else []
    return written(folder / "report.html", page(read_results(folder / "results.json"), examples))


def written(path: Path, text: str) -> Path:
    """Puts `text` in place of a file in one step."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".report-", suffix=".html")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    return path
