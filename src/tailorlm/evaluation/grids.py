"""A table as values, and its two forms: HTML and Markdown. Marks are words and signs as well as colours.

Knows nothing of methods or results.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from tailorlm.evaluation.markup import CONTROLS, Markup, element, joined
from tailorlm.evaluation.quantities import DASH

JOINTS = re.compile(r"(?<=[_+@/])(?=\S)")
SIGNS = {"right": "▲", "wrong": "▼", "unclear": "~"}
SPECIAL = re.compile(r"([\\`*_{}\[\]<>|~#&])")


@dataclass(frozen=True, slots=True)
class Cell:
    """A value, the lines that stand small below it, its rank ("best", "2nd"), and whether it is better (SIGNS)."""

    text: str = DASH
    below: str = ""
    rank: str = ""
    sign: str = ""


@dataclass(frozen=True, slots=True)
class GridRow:
    """A name, its cells, the style's name of the row, and what the name is in small."""

    name: str
    cells: tuple[Cell, ...]
    kind: str = "plain"
    note: str = ""


@dataclass(frozen=True, slots=True)
class Grid:
    """A titled table: a head a column, the first one above the names."""

    title: str
    heads: tuple[str, ...]
    rows: tuple[GridRow, ...]
    style: str = ""


def html(grid: Grid) -> Markup:
    """The table in a box of its own that scrolls sideways where the screen is narrow."""
    top = element("tr", *(element("th", head, scope="col") for head in grid.heads))
    rows = [_row(row) for row in grid.rows]
    inner = element("table", element("thead", top), element("tbody", *rows), class_=grid.style, aria_label=grid.title)
    box = element("div", inner, class_="scroll", tabindex=0, role="region", aria_label=grid.title)
    return element("div", element("h3", grid.title), box, class_="panel")


def _row(row: GridRow) -> Markup:
    note = element("small", row.note) if row.note else None
    head = element("th", foldable(row.name), note, scope="row")
    return element("tr", head, *map(_cell, row.cells), class_=row.kind)


def foldable(name: str) -> Markup:
    """A name that may go on in the next line after its signs, as it does after spaces."""
    return Markup(element("wbr").join(joined(part) for part in JOINTS.split(name)))


def _cell(cell: Cell) -> Markup:
    mark = element("span", cell.rank, class_=f"rank {cell.rank}") if cell.rank else None
    sign = element("span", SIGNS[cell.sign], class_=f"sign {cell.sign}") if cell.sign else None
    shown = element("strong", cell.text) if cell.rank == "best" else cell.text
    return element("td", mark, sign, shown, *(element("small", line) for line in cell.below.splitlines()))


def markdown(grid: Grid) -> list[str]:
    """Lines of Markdown: the best in bold, the second best in italics."""
    lines = [f"### {plain(grid.title)}", "", _line([plain(head) for head in grid.heads])]
    lines.append("|".join(["", "---", *["---:"] * (len(grid.heads) - 1), ""]))
    return [*lines, *(_line([plain(row.name), *map(_written, row.cells)]) for row in grid.rows), ""]


def _written(cell: Cell) -> str:
    around = {"best": "**", "2nd": "*"}.get(cell.rank, "")
    sign = f"{SIGNS[cell.sign]} ".replace("~", r"\~") if cell.sign else ""
    below = plain(", ".join(cell.below.splitlines()))
    return f"{sign}{around}{plain(cell.text)}{around}" + (f" ({below})" if below else "")


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def plain(text: str) -> str:
    """`text` as Markdown that means nothing but itself, on one line."""
    return SPECIAL.sub(r"\\\1", CONTROLS.sub("\N{REPLACEMENT CHARACTER}", " ".join(text.split())))
