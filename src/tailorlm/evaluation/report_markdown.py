"""A report as Markdown: its tables, and its figures' numbers as tables. Holds no user's text, id or reason of failure.

Knows nothing of folders or HTML. Source: issue 4 (report).
"""

from collections.abc import Iterable, Sequence

from tailorlm.evaluation import wording
from tailorlm.evaluation.grids import Cell, Grid, GridRow, markdown, plain
from tailorlm.evaluation.names import in_order, method_name, method_note
from tailorlm.evaluation.report_apart import remarks
from tailorlm.evaluation.report_content import Content
from tailorlm.evaluation.report_difference import runs_table
from tailorlm.evaluation.report_figures import grid, missing
from tailorlm.evaluation.results import Results
from tailorlm.evaluation.sections import origin
from tailorlm.evaluation.tables import metric_tables
from tailorlm.evaluation.tables_costs import cost_tables

MARK = "<!-- written by tailor report -->"
"""The first line: a file without it is somebody else's."""


def text(content: Content) -> str:
    """The whole file."""
    results = content.results
    head = [MARK, "", f"# {plain(wording.TITLE)}", "", plain(wording.introduction(results)), ""]
    runs = runs_table(content.board.runs)
    tested = plain(wording.tested(content.against)) if content.against is not None else ""
    apart = remarks(content.board.runs) if runs else []
    parts = [
        *section("The runs", [runs] if runs else []),
        *(line for said in apart for line in (plain(said), "")),
        *targets(results),
        *section("How good the answers are", [*content.scores, *content.averages], plain(wording.scale(results))),
        *notes(results),
        *([plain(wording.COMPOSITE), ""] if content.composite else []),
        *section("What is gained", [*content.significance, *content.differences], tested),
        *section("What a judge says", content.judged, plain(wording.judged(results)) if content.judged else ""),
        *section(
            "What it needs, and for whom it is worse",
            [one for one in (content.needs, content.harm) if one],
            plain(wording.care(content.harm.heads, len(content.board.runs))) if content.harm else "",
        ),
        *figures(content),
        *section("What one user costs", cost_tables(results), plain(wording.costs(len(content.board.runs)))),
        *section("Other metrics", metric_tables(results)),
        *section("Where the numbers come from", origins(content)),
    ]
    return "\n".join([*head, *parts]).rstrip() + "\n"


def section(title: str, tables: Iterable[Grid], said: str = "") -> list[str]:
    """A heading with tables; nothing without any."""
    found = list(tables)
    if not found:
        return []
    return [f"## {title}", "", *([said, ""] if said else []), *(line for one in found for line in markdown(one))]


def targets(results: Results) -> list[str]:
    """What the run had to show."""
    lines = [
        f"- {'met' if one['met'] else 'NOT met'}: {plain(str(one['what']))}: wanted {plain(str(one['wanted']))}, "
        f"got {plain(str(one['got']))}"
        for one in results.targets
    ]
    return ["## What it had to show", "", *lines, ""] if lines else []


def notes(results: Results) -> list[str]:
    """What each row is."""
    known = [
        (method_name(name), method_note(name, results.few(name), results.notes.get(name, "")))
        for name in in_order(results.methods)
    ]
    return [*(f"- {plain(name)}: {plain(note)}" for name, note in known if note), ""]


def figures(content: Content) -> list[str]:
    """The figures' numbers, and what would make those that are not here."""
    lines = ["## Figures as in the papers", ""]
    for one in content.figures:
        if one.plots:
            lines += [f"**{plain(one.figure.title)}** ({plain(one.figure.source)}). {plain(one.figure.about)}", ""]
        for plot in one.plots:
            lines += [*markdown(grid(plot)), *([plain(plot.note), ""] if plot.note else [])]
    absent = missing(content.figures)
    told = [f"- {plain(title)}: {wants}" for title, wants in absent]
    return [*lines, *(["Not here, and what would make them:", "", *told, ""] if told else [])]


def origins(content: Content) -> Sequence[Grid]:
    """A table a run of what made its numbers."""
    return [
        Grid(run.name if len(content.board.runs) > 1 else "This run", ("", "Value"),
             tuple(GridRow(name, (Cell(value),)) for name, value in origin(run.results)))
        for run in content.board.runs
    ]  # fmt: skip
