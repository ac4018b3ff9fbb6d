"""Descriptions of a task, precise and not, before and after personalisation: PRISP figure 8.

Stage 1 is the adapter made from the description, stage 2 what is trained from it for each user. Source: PRISP
section 4.4 (robustness to task descriptions), table 12.
"""

from collections.abc import Sequence

from tailorlm.evaluation.figure import SCORE, Figure, panel_title, panels
from tailorlm.evaluation.names import split_name
from tailorlm.evaluation.plots import Bars, Named
from tailorlm.evaluation.report_marks import Made
from tailorlm.evaluation.report_merge import Board
from tailorlm.evaluation.report_sweep import Series, either, order, setting, sweep

OWN, MAKER, LONGEST = "The task's own description", "text_to_lora", 90
DESCRIBED = either(
    setting("source.settings.description*", "source.start.settings.description*"), lambda run, flat: (OWN, ())
)


def plots(board: Board) -> list[Bars]:
    """A picture a kind of task and split; a group a description, a bar a stage. None without both stages, or with one
    description: that is two rows of the tables.
    """
    series = sweep(board.runs, DESCRIBED, staged, least=1)
    made = []
    for split, kind, tasks in places(series):
        groups = []
        for text in texts(series):
            bars = tuple(bar for one in series for bar in stage(one, split, tasks, text))
            groups += [(text if len(text) <= LONGEST else f"{text[:LONGEST]}…", bars)] if bars else []
        if len(groups) > 1 and {bar.name[0] for _, bars in groups for bar in bars} == {"1", "2"}:
            made.append(Bars(f"{panel_title(kind, tasks)}: {split_name(split).lower()}", SCORE, tuple(groups)))
    return made


def staged(made: Made) -> bool:
    """Whether a method is one of the two stages, without a context."""
    return first(made) or (
        made.about.get("source", {}).get("start", {}).get("adapter") == MAKER and made.context == "none"
    )


def first(made: Made) -> bool:
    """Whether a method is stage 1."""
    return made.adapter == MAKER and made.context == "none"


def places(series: Sequence[Series]) -> list[tuple[str, str, list[str]]]:
    """(split, kind, tasks) of the first series."""
    run = series[0].members[0].run if series else None
    splits = run.results.splits() if run else []
    return [(split, kind, tasks) for split in splits if run for kind, tasks in panels(run.results, split).items()]


def texts(series: Sequence[Series]) -> list[str]:
    """All descriptions, in the order of the first series."""
    found = sorted({str(member.value) for one in series for member in one.members}, key=order)
    return list(dict.fromkeys([*(str(member.value) for one in series[:1] for member in one.members), *found]))


def stage(series: Series, split: str, tasks: Sequence[str], text: str) -> list[Named]:
    """The bar of a series at a description."""
    for member in series.members:
        scores = [member.run.results.score(member.method, split, task) for task in tasks]
        known = [100 * score for score in scores if score is not None]
        if str(member.value) == text and len(known) == len(tasks):
            return [Named(f"{1 if first(member.made) else 2}: {series.name}", sum(known) / len(known), series.kind)]
    return []


FIGURE = Figure(
    title="Descriptions of a task, stage by stage",
    source="PRISP figure 8",
    about="Stage 1: the adapter made from the description. Stage 2: personalised from there.",
    wants="rows of text_to_lora, and of prisp that starts there: "
    "`tailor eval recipes/paper/prisp.toml --set show=figure_8`",
    plots=plots,
)
