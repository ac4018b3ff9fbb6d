"""What is kept of a task's score when other users' adapters were trained on another task: PRISP figure 7.

Source: PRISP section 4.4 (adaptability); metrics/averages.py.
"""

import posixpath
from collections.abc import Mapping, Sequence
from typing import Any

from tailorlm.evaluation.figure import Figure
from tailorlm.evaluation.names import TASKS, split_name, task_name
from tailorlm.evaluation.plots import Axis, Bars, Named, written
from tailorlm.evaluation.report_marks import Made
from tailorlm.evaluation.report_merge import Board
from tailorlm.evaluation.report_run import Run
from tailorlm.evaluation.report_sweep import Flat, Member, Series, either, flattened, setting, sweep, title
from tailorlm.evaluation.results import Scores
from tailorlm.metrics.averages import KINDS, adaptability, composite, kind_of

SHARE = Axis("% of the score with the task's own users", lambda value: written(f"{value:.0f}") + "%")


def plots(board: Board) -> list[Bars]:
    """A picture a split; a group a pair of tasks, a bar a method."""
    series = sweep(board.runs, either(of_group, setting("data.train")), tuned)
    made = []
    for split in board.results.splits():
        groups: dict[str, list[Named]] = {}
        for one in series:
            for heading, share in ratios(one, split).items():
                groups.setdefault(heading, []).append(Named(title(one.members), 100 * share, one.kind))
        if groups:
            pairs = tuple((heading, tuple(bars)) for heading, bars in sorted(groups.items()))
            made.append(Bars(f"Adaptability: {split_name(split).lower()}", SHARE, pairs))
    return made


def of_group(run: Run, flat: Flat) -> tuple[Any, Sequence[str]] | None:
    """The file of a source's own training users; what it begins at may have followed them."""
    file = flat.get("source.train")
    return (file, ("source.train", "source.start.train")) if file else None


def tuned(made: Made) -> bool:
    """Whether a method has adapters, which training users decide."""
    return made.adapter not in ("", "none")


def ratios(series: Series, split: str) -> dict[str, float]:
    """ "source -> target": the share, for each run that trained on another task than it asks."""
    found = {}
    for own in series.members:
        for task, target in metrics(own, split).items():
            if trained_on(own) == task:
                for other in series.members:
                    source = metrics(other, split).get(task)
                    if other is not own and source is not None and composite(target) > 0:
                        found[f"{short(trained_on(other))} \N{RIGHTWARDS ARROW} {short(task)}"] = adaptability(
                            source, target
                        )
    return found


def metrics(member: Member, split: str) -> dict[str, Scores]:
    """The metrics of a member's tasks that have PRISP's two."""
    found: Mapping[str, Scores] = member.run.results.metrics(member.method, split)
    return {task: scores for task, scores in found.items() if composable(scores)}


def composable(scores: Scores) -> bool:
    """Whether a task's metrics make a composite."""
    kinds: Sequence[tuple[str, ...]] = [names for names in KINDS.values() if names[0] in scores]
    return bool(kinds) and all(name in scores for name in KINDS[kind_of(scores)][:2])


def trained_on(member: Member) -> str:
    """The task of the training users: the last part of their path that names one, else the path."""
    data = flattened(member.made.about)
    file = str(data.get("source.train") or data["data.train"])
    path = posixpath.normpath(posixpath.join(str(data.get("data.root", "")), file))
    names = [part.partition(".")[0].lower() for part in reversed(path.split("/"))]
    return next((name for name in names if name in TASKS and name), path)


def short(task: str) -> str:
    """A task's name without what it is about."""
    return task_name(task).partition(",")[0] if task in TASKS else task


FIGURE = Figure(
    title="Adapting to another task",
    source="PRISP figure 7",
    about="Trained on one task's users and asked another task, as a share of the score when trained on its own.",
    wants="runs that ask the same users and differ in whose adapters are lent: `tailor eval recipes/paper/prisp.toml "
    "--out runs/own`, and `--set show=figure_7 --set data.groups.sharers=../LaMP_3/sharers.jsonl "
    "--set data.groups.task=../LaMP_3/task_50.jsonl --out runs/other`",
    plots=plots,
)
