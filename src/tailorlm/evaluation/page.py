"""The page of one run or several: one file, no scripts, nothing fetched; parts without numbers are left out.

Knows nothing of folders. The frame and its style are `page.html` of this package.
"""

from collections.abc import Sequence
from importlib.resources import files
from string import Template

from tailorlm.evaluation import pictures, sections, tables, tables_costs, wording
from tailorlm.evaluation.answers import Row
from tailorlm.evaluation.grids import Grid, html
from tailorlm.evaluation.markup import Markup, element, joined
from tailorlm.evaluation.names import split_name
from tailorlm.evaluation.report_apart import remarks
from tailorlm.evaluation.report_content import Content
from tailorlm.evaluation.report_difference import runs_table
from tailorlm.evaluation.report_figures import markup, missing
from tailorlm.evaluation.sections import section
from tailorlm.evaluation.side_by_side import user_card

LOT = "The users were drawn by lot, not by result. ✓ right, ≈ one star off or some of the words, ✗ wrong."
LONGEST = 40
"""Rows of a table at most that stands open."""
Examples = Sequence[tuple[str, str, Sequence[Row]]]
"""(run or "", split, one row a task) of the users to show."""


def page(content: Content, examples: Examples, private: bool = True) -> str:
    """The whole page as HTML; `private`: with what may name users (reasons of failures, `examples`)."""
    seen = (opening(content), scores(content), charts(content), gains(content), judge(content), care(content, private))
    figures = (style(content), papers(content), cost(content))
    behind = (side_by_side(examples if private else ()), metrics(content), training(content), origin(content))
    frame = files("tailorlm.evaluation").joinpath("page.html").read_text(encoding="utf-8")
    return Template(frame).substitute(title=element("title", wording.TITLE), body=joined(*seen, *figures, *behind))


def opening(content: Content) -> Markup:
    """Title, what this is, the numbers to remember, the runs, and what had to be shown."""
    results, runs = content.results, runs_table(content.board.runs)
    head = element("header", element("h1", wording.TITLE), element("p", wording.introduction(results)))
    targets = sections.target_list(results)
    apart = remarks(content.board.runs) if len(content.board.runs) > 1 else []
    about = [html(runs), *(element("p", said) for said in apart)] if runs is not None else []
    wanted = section("targets", "What it had to show", targets) if targets else None
    return joined(head, sections.headline(results), section("runs", "The runs", *about) if about else None, wanted)


def scores(content: Content) -> Markup:
    """The score tables, the papers' averages, and what each row is."""
    results, composite = content.results, element("p", wording.COMPOSITE) if content.composite else None
    said = element("p", wording.scale(results))
    return section("scores", "How good the answers are", said, *map(html, content.scores),
                   sections.what_rows_are(results), *map(html, content.averages), composite)  # fmt: skip


def charts(content: Content) -> Markup:
    """A chart a task with all methods and both splits, the average first; then the gain beside OPPU's."""
    results = content.results
    shapes = zip("●◇", results.splits(), strict=False)
    key = ", ".join(f"{shape} {split_name(split).lower()}" for shape, split in shapes)
    lines = "; the line is the 95% interval" if any(results.intervals.values()) else ""
    drawn = [pictures.task_chart(results, task) for task in results.columns()]
    return section(
        "tasks", "Task by task", element("p", f"{key}{lines}."), grid(*drawn, pictures.gain_over_base(results))
    )


def grid(*children: Markup | None) -> Markup:
    """Figures in as many columns as the screen has room for."""
    return element("div", *children, class_="charts")


def gains(content: Content) -> Markup | None:
    """What methods gain over the reference, and over each other."""
    others = element("details", element("summary", "Other comparisons"), *map(html, content.differences))
    rest = others if content.significance and content.differences else joined(*map(html, content.differences))
    note = element("p", wording.tested(content.against)) if content.against is not None else None
    if not content.significance and not content.differences:
        return None
    return section("gains", "What is gained", note, *map(html, content.significance), rest)


def judge(content: Content) -> Markup | None:
    """What a language model says of the answers."""
    if not content.judged:
        return None
    said = element("p", wording.judged(content.results))
    return section("judge", "What a judge says", said, *map(html, content.judged))


def care(content: Content, private: bool) -> Markup | None:
    """What each method needs, for whom it is worse, what failed."""
    drawn = [one for one in (content.needs, content.harm) if one is not None]
    why = sections.reasons(content.results) if private else None
    said = element("p", wording.care(content.harm.heads, len(content.board.runs))) if content.harm else None
    return section("care", "What it needs, and for whom it is worse", *map(folded, drawn), said, why) if drawn else None


def folded(table: Grid) -> Markup:
    """The table; one of very many rows, as of many runs, is to be opened."""
    if len(table.rows) <= LONGEST:
        return html(table)
    return element("details", element("summary", f"{table.title} ({len(table.rows)} rows)"), html(table))


def style(content: Content) -> Markup | None:
    """Accuracy of each attribute of style: the first split in sight, others to be opened."""
    results = content.results
    drawn = [(split, style_of(content, split)) for split in results.splits()]
    parts = [closed(split, part) if place else part for place, (split, part) in enumerate(drawn) if part]
    return section("style", "Which habits are caught", *parts) if parts else None


def style_of(content: Content, split: str) -> Markup | None:
    """A chart a task that has attributes, of one split."""
    found = [pictures.attribute_chart(content.results, split, task) for task in content.results.tasks()]
    return grid(*found) if any(found) else None


def closed(split: str, part: Markup) -> Markup:
    """A split's part behind a line that opens it."""
    return element("details", element("summary", f"The same for {split_name(split).lower()}"), part)


def papers(content: Content) -> Markup:
    """The counterparts of the papers' figures, and what would make those that are not here."""
    there = [markup(one) for one in content.figures if one.plots]
    absent = missing(content.figures)
    said = sections.definitions((title, sections.code(wants)) for title, wants in absent)
    fold = "Figures that are not here, and what would make them" if there else "None is here; what would make them"
    rest = element("details", element("summary", fold), said) if absent else None
    return section("figures", "Figures as in the papers", *there, rest)


def cost(content: Content) -> Markup | None:
    """What a user costs in time and bytes."""
    drawn = pictures.cost_charts(content.results)
    tables_of = tables_costs.cost_tables(content.results)
    if not drawn and not tables_of:
        return None
    said = element("p", wording.costs(len(content.board.runs))) if tables_of else None
    return section("cost", "What one user costs", grid(*drawn) if drawn else None, said, *map(folded, tables_of))


def side_by_side(examples: Examples) -> Markup | None:
    """A few users' answers under all methods."""
    cards = [user_card(number, split, rows, run) for number, (run, split, rows) in enumerate(examples, 1)]
    return section("examples", "Answers side by side", element("p", LOT), *cards) if cards else None


def metrics(content: Content) -> Markup | None:
    """The tasks' own metrics, to be opened: official ones beside the scores above."""
    drawn: list[Grid] = tables.metric_tables(content.results)
    head = element("summary", "Every metric of every task, as its benchmark counts it")
    return section("metrics", "Other metrics", element("details", head, *map(html, drawn))) if drawn else None


def training(content: Content) -> Markup | None:
    """Training curves and the time of each stage."""
    curves, stages = pictures.curves_chart(content.results), sections.timings(content.results)
    return section("training", "Training", grid(curves, stages)) if curves or stages else None


def origin(content: Content) -> Markup:
    """What made these numbers."""
    runs = content.board.runs
    said = [sections.provenance(run, len(runs) > 1) for run in runs]
    return section("provenance", "Where the numbers come from", *said)
