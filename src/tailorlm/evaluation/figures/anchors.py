"""What each anchor gives by itself and after the user's own training from it: PRISP figure 5.

An anchor is whatever source PRISP begins at; the row of that source is what the anchor gives by itself. All bars of a
picture are of the same examples. Knows no anchor by name. Source: PRISP section 4.3 (task-aware anchor LoRA).
"""

import json
from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

from tailorlm.evaluation.figure import SCORE, Figure, panel_title, panels
from tailorlm.evaluation.names import in_order, method_name, split_name
from tailorlm.evaluation.plots import Bars, Named
from tailorlm.evaluation.report_marks import Key, Made
from tailorlm.evaluation.report_merge import Board
from tailorlm.evaluation.report_run import Run
from tailorlm.evaluation.report_sweep import Flat, Member, asked, flattened, sweep

TUNER, ITSELF, LONGEST = "prisp", "by itself", 60
SOURCE, START, FORM = "source.", "source.start.", "source.settings.lora."
"""Where settings of a source stand, of what it begins at, and of the form of its adapters, which is the anchor's."""
Stage = tuple[str, str, Member]
"""(anchor, name of the bar, method)."""


def plots(board: Board) -> list[Bars]:
    """A picture a kind of task and split, for runs that asked the same people."""
    groups: dict[str, list[Run]] = {}
    for run in board.runs:
        groups.setdefault(asked(run), []).append(run)
    return [plot for runs in groups.values() for plot in pictures(runs, stages(runs))]


def stages(runs: Sequence[Run]) -> list[Stage]:
    """What is trained from each anchor, and the anchors' own rows. None without two kinds of anchors."""
    series = sweep(runs, of_start, tuned)
    after = [(str(member.value), one.name, member) for one in series for member in one.members]
    if len({json.loads(anchor)["adapter"] for anchor, _, _ in after}) < 2:
        return []
    wanted = {(anchor, setting(member.made)): anchor for anchor, _, member in after}
    before = {
        wanted[said]: (wanted[said], ITSELF, Member(run, method, made, said[0], after[0][2].people))
        for run in runs for method, made in run.marks.made.items()
        if (said := (part(flattened(made.about), SOURCE), setting(made))) in wanted
    }  # fmt: skip
    return [*before.values(), *after]


def tuned(made: Made) -> bool:
    """Whether a method trains each user from an anchor, and shows nothing of the user in its prompts."""
    return made.adapter == TUNER and made.context == "none" and not made.about.get("control")


def of_start(run: Run, flat: Flat) -> tuple[Any, Sequence[str]] | None:
    """All that a source begins at; the form of its adapters goes with it."""
    begun = part(flat, START)
    return (begun, [path for path in flat if path.startswith((START, FORM))]) if begun != "{}" else None


def part(flat: Flat, where: str) -> str:
    """The settings below a path, as one text."""
    return json.dumps(
        {path.removeprefix(where): value for path, value in flat.items() if path.startswith(where)}, sort_keys=True
    )


def setting(made: Made) -> str:
    """What a method was asked in, whatever its source, as one text."""
    about = {name: value for name, value in made.about.items() if name not in ("source", "contexts")}
    return json.dumps([made.context, about], sort_keys=True)


def pictures(runs: Sequence[Run], found: Sequence[Stage]) -> list[Bars]:
    """The pictures of what is of two anchors or more."""
    made, first = [], runs[0].results
    for split in first.splits() if found else []:
        for kind, tasks in panels(first, split).items():
            known = {number: marks for number, stage in enumerate(found) if (marks := scores(stage, split, tasks))}
            same = common(list(known.values()), tasks)
            bars = [(found[number], mean(marks, same, tasks)) for number, marks in known.items()] if same else []
            groups = grouped(bars, titles(found))
            if len(groups) > 1:
                title = f"{panel_title(kind, tasks)}: {split_name(split).lower()}"
                made.append(Bars(title, SCORE, groups, note(same, first.users.get(split))))
    return made


def scores(stage: Stage, split: str, tasks: Sequence[str]) -> Mapping[Key, float]:
    """A method's scores of examples of the tasks; nothing where it lacks a task."""
    marks = stage[2].run.marks.scores.get((stage[2].method, split), {})
    found = {key: score for key, score in marks.items() if key[2] in tasks}
    return found if {key[2] for key in found} == set(tasks) else {}


def common(known: Sequence[Mapping[Key, float]], tasks: Sequence[str]) -> set[Key]:
    """The examples that all have; none where they share none of a task."""
    same = set.intersection(*map(set, known)) if known else set()
    return same if {key[2] for key in same} == set(tasks) else set()


def mean(marks: Mapping[Key, float], same: set[Key], tasks: Sequence[str]) -> float:
    """The mean over tasks of the mean over the examples `same`, in points."""
    return 100 * fmean(fmean(marks[key] for key in same if key[2] == task) for task in tasks)


def grouped(bars: Sequence[tuple[Stage, float]], names: Mapping[str, str]) -> tuple[tuple[str, tuple[Named, ...]], ...]:
    """The bars of each anchor that anything is trained from."""
    by = {anchor: [(name, value) for (own, name, _), value in bars if own == anchor] for anchor in names}
    return tuple(
        (names[anchor], tuple(Named(name, value) for name, value in own))
        for anchor, own in by.items() if any(name != ITSELF for name, _ in own)
    )  # fmt: skip


def titles(found: Sequence[Stage]) -> dict[str, str]:
    """The anchors' names in the report's order: those of their rows, else of their sources; of several with one name,
    with the first setting that differs.
    """
    rows = {anchor: member.method for anchor, name, member in found if name == ITSELF}
    own = {anchor: rows.get(anchor, json.loads(anchor)["adapter"]) for anchor, _, _ in found}
    ranks = in_order(set(own.values()))
    return {anchor: told(anchor, own) for anchor in sorted(own, key=lambda anchor: (ranks.index(own[anchor]), anchor))}


def told(anchor: str, own: Mapping[str, str]) -> str:
    """An anchor's name, with what sets it apart."""
    flat, twins = json.loads(anchor), [json.loads(other) for other in own if own[other] == own[anchor]]
    odd = [path for path in flat if any(other.get(path) != flat[path] for other in twins)]
    apart = f", {odd[0].rpartition('.')[2]} {flat[odd[0]]}" if odd else ""
    title = f"{method_name(own[anchor])}{apart}"
    return title if len(title) <= LONGEST else f"{title[:LONGEST]}…"


def note(same: set[Key], users: int | None) -> str:
    """Of how many users the bars are, where that is not all."""
    few = len({user for _, user, _ in same})
    return f"Of the {few} users whom all of these answered." if users is not None and few < users else ""


FIGURE = Figure(
    title="Anchors",
    source="PRISP figure 5",
    about="Where personalisation begins: what each anchor gives by itself, and after the user's own training from it.",
    wants="rows of prisp that begin at different sources, and the rows of these sources: "
    "`tailor eval recipes/paper/prisp.toml --set show=figure_5`",
    plots=plots,
)
