"""The page of a run: one file, no scripts, nothing fetched; parts without numbers are left out.

Knows nothing of the run folder. The frame and its style are `page.html` of this package.
"""

from collections.abc import Sequence
from importlib.resources import files
from string import Template

from tailorlm.evaluation import pictures, sections, tables
from tailorlm.evaluation.answers import Row
from tailorlm.evaluation.markup import Markup, element, joined
from tailorlm.evaluation.names import split_name
from tailorlm.evaluation.results import Results
from tailorlm.evaluation.sections import section
from tailorlm.evaluation.side_by_side import user_card

TITLE = "TailorLM: a model that fits each person"
INTRODUCTION = (
    "A language model answers everybody alike. TailorLM trains a small network, the hypernetwork, once over "
    "many people. From then on it reads the profile of a person it has never seen (short statements counted "
    "from their history) and writes the weights of an adapter for that person in one pass, with no training "
    "for them. This page compares that (P2P) with the plain model, with one adapter for everybody, and with "
    "an adapter trained for each person (OPPU), on people whom nothing here was trained on."
)
SCALE = (
    "Scores run from 0 to 100. Labels and written answers count when they are exactly the user's own (LaMP's "
    "written answers by the words they share, ROUGE), ratings by their distance from the user's stars (100 "
    "minus 25 for each star). Intervals come from drawing users anew, again and again. The ceiling and OPPU "
    "are not ranked: the one knows more, the other was measured on fewer users."
)
LOT = "The users were drawn by lot, not by result. ✓ right, ≈ one star off or some of the words, ✗ wrong."


def page(results: Results, examples: Sequence[tuple[str, Sequence[Row]]]) -> str:
    """The whole page as HTML; `examples` are (split, one row a task) of the users to show."""
    seen = (opening(results), scores(results), charts(results), gains(results), style(results), cost(results))
    behind = (side_by_side(examples), metrics(results), training(results), origin(results))
    frame = files("tailorlm.evaluation").joinpath("page.html").read_text(encoding="utf-8")
    return Template(frame).substitute(title=element("title", TITLE), body=joined(*seen, *behind))


def opening(results: Results) -> Markup:
    """Title, what this is, the numbers to remember, and what had to be shown."""
    head = element("header", element("h1", TITLE), element("p", INTRODUCTION))
    targets = sections.target_list(results)
    wanted = section("targets", "What it had to show", targets) if targets else None
    return joined(head, sections.headline(results), wanted)


def scores(results: Results) -> Markup:
    """The score tables, and what each row is."""
    drawn = [tables.score_table(results, split) for split in results.splits()]
    return section(
        "scores", "How good the answers are", element("p", SCALE), *drawn, sections.what_rows_are(results)
    )


def charts(results: Results) -> Markup:
    """A chart a task with all methods and both splits, the average first; then the gain beside OPPU's."""
    shapes = zip("●◇", results.splits(), strict=False)
    key = ", ".join(f"{shape} {split_name(split).lower()}" for shape, split in shapes)
    drawn = [pictures.task_chart(results, task) for task in results.columns()]
    return section(
        "tasks",
        "Task by task",
        element("p", f"{key}; the line is the 95% interval."),
        grid(*drawn, pictures.gain_over_base(results)),
    )


def grid(*children: Markup | None) -> Markup:
    """Figures in as many columns as the screen has room for."""
    return element("div", *children, class_="charts")


def gains(results: Results) -> Markup | None:
    """What P2P gains over the others, and on whom it makes things worse."""
    drawn = [*tables.difference_tables(results), tables.safety_table(results)]
    return section("gains", "What is gained, and for whom it is worse", *drawn) if any(drawn) else None


def style(results: Results) -> Markup | None:
    """Accuracy of each attribute of style: the first split in sight, others to be opened."""
    drawn = [(split, style_of(results, split)) for split in results.splits()]
    parts = [closed(split, part) if place else part for place, (split, part) in enumerate(drawn) if part]
    return section("style", "Which habits are caught", *parts) if parts else None


def style_of(results: Results, split: str) -> Markup | None:
    """A chart a task that has attributes, of one split."""
    found = [pictures.attribute_chart(results, split, task) for task in results.tasks()]
    return grid(*found) if any(found) else None


def closed(split: str, part: Markup) -> Markup:
    """A split's part behind a line that opens it."""
    return element("details", element("summary", f"The same for {split_name(split).lower()}"), part)


def cost(results: Results) -> Markup | None:
    """What a user costs in time and bytes."""
    drawn = pictures.cost_charts(results)
    return section("cost", "What one user costs", grid(*drawn)) if drawn else None


def side_by_side(examples: Sequence[tuple[str, Sequence[Row]]]) -> Markup | None:
    """A few users' answers under all methods."""
    cards = [user_card(number, split, rows) for number, (split, rows) in enumerate(examples, 1)]
    return section("examples", "Answers side by side", element("p", LOT), *cards) if cards else None


def metrics(results: Results) -> Markup | None:
    """The tasks' own metrics, to be opened: official ones beside the scores above."""
    drawn = tables.metric_tables(results)
    head = element("summary", "Every metric of every task, as its benchmark counts it")
    return section("metrics", "Other metrics", element("details", head, *drawn)) if drawn else None


def training(results: Results) -> Markup | None:
    """Training curves and the time of each stage."""
    curves, stages = pictures.curves_chart(results), sections.timings(results)
    return section("training", "Training", grid(curves, stages)) if curves or stages else None


def origin(results: Results) -> Markup:
    """What made these numbers."""
    return section("provenance", "Where the numbers come from", sections.provenance(results))
