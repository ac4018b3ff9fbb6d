"""The table of a run as plain text: a row a method, a column a task, in points (0 to 100).

Knows nothing of HTML or of how scores came about.
"""

from collections.abc import Mapping
from typing import Any

from tailorlm.evaluation.names import in_order, row_name, split_heading, task_name
from tailorlm.evaluation.quantities import points
from tailorlm.evaluation.results import Results, parse


def table_lines(results: Mapping[str, Any] | Results) -> list[str]:
    """A table a split, as lines of text, of a parsed `results.json`. Raises ValueError as `parse` does."""
    read = results if isinstance(results, Results) else parse(results)
    blocks = [split_lines(read, split) for split in read.splits()]
    return [line for block in blocks for line in ("", *block)][1:]


def split_lines(results: Results, split: str) -> list[str]:
    """The heading, the columns' names and a line a method that was measured on `split`."""
    tasks = results.tasks()
    rows = [
        [row_name(method, results.few(method)), *(points(results.score(method, split, task)) for task in tasks)]
        for method in in_order(results.methods)
        if split in results.methods[method]
    ]
    table = [["", *map(task_name, tasks)], *rows]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    return [split_heading(split, results.users.get(split)), *(aligned(row, widths) for row in table)]


def aligned(row: list[str], widths: list[int]) -> str:
    """A row with its first column left and the others right."""
    cells = [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]
    return "  ".join(cells).rstrip()
