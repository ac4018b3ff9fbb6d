"""The figures that runs hold, drawn, each with its numbers as a table; and those that they do not hold.

Knows no figure by name. Source: issue 4 (figures of the papers).
"""

from collections.abc import Sequence
from dataclasses import dataclass

from tailorlm.evaluation.figure import Figure, figures
from tailorlm.evaluation.grids import Cell, Grid, GridRow, html
from tailorlm.evaluation.markup import Markup, element
from tailorlm.evaluation.plot_drawing import drawn
from tailorlm.evaluation.plots import Lines, Plot
from tailorlm.evaluation.report_merge import Board


@dataclass(frozen=True, slots=True)
class Shown:
    """A figure with its pictures' numbers; none where the runs do not hold it."""

    figure: Figure
    plots: tuple[Plot, ...]


def shown(board: Board) -> list[Shown]:
    """All figures, with what the runs hold of each."""
    return [Shown(figure, tuple(figure.plots(board))) for figure in figures()]


def grid(plot: Plot) -> Grid:
    """A picture's numbers."""
    heads, rows = plot.table()
    return Grid(plot.title, tuple(heads), tuple(GridRow(row[0], tuple(map(cell, row[1:]))) for row in rows), "numbers")


def cell(text: str) -> Cell:
    """A number, with what stands small below it."""
    value, _, below = text.partition("\n")
    return Cell(value, below)


def markup(one: Shown) -> Markup:
    """A figure with its pictures and, to be opened, their numbers."""
    title = element("h3", one.figure.title, " ", element("small", f"the counterpart of {one.figure.source}"))
    pictures = element("div", *map(picture, one.plots), class_="charts")
    numbers = element("details", element("summary", "The numbers"), *(html(grid(plot)) for plot in one.plots))
    return element("div", title, element("p", one.figure.about), pictures, numbers, class_="paper")


def picture(plot: Plot) -> Markup:
    """A picture with its title above and its note below."""
    said = note(plot)
    below = element("p", said, class_="note") if said else None
    return element("figure", element("figcaption", element("h4", plot.title)), drawn(plot), below)


def note(plot: Plot) -> str:
    """What to know of a picture: its own note, and where intervals, covered and unnamed lines are."""
    if not isinstance(plot, Lines):
        return plot.note
    drawn = "Lines up and down are 95% intervals over users." if plot.whiskers else ""
    hidden = "95% intervals over users are in the numbers." if plot.intervals and not plot.whiskers else ""
    covered = " ".join(on_one_another(below, above) for below, above in plot.covered.items())
    faint = "Grey lines are the others; the numbers name them." if len(plot.named) < len(plot.lines) else ""
    return " ".join(part for part in (plot.note, drawn, hidden, covered, faint) if part)


def on_one_another(below: str, above: Sequence[str]) -> str:
    """Which lines cannot be told from which."""
    names = [f"\N{LEFT DOUBLE QUOTATION MARK}{name}\N{RIGHT DOUBLE QUOTATION MARK}" for name in (*above, below)]
    return f"{' and '.join(names[:-1])} {'lies' if len(above) == 1 else 'lie'} on {names[-1]}."


def missing(found: Sequence[Shown]) -> list[tuple[str, str]]:
    """(title, what would make it) of the figures that the runs do not hold."""
    return [(f"{one.figure.title} ({one.figure.source})", one.figure.wants) for one in found if not one.plots]
