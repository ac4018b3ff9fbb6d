"""The charts of a run's page: which numbers are drawn, in which order, with which words.

Knows nothing of drawing; it turns results into charts. A chart without numbers is None.
"""

from collections.abc import Callable

from tailorlm.evaluation.charts import (
    Bar,
    Dot,
    DotRow,
    bar_chart,
    decades,
    dot_chart,
    gain_chart,
    log_chart,
)
from tailorlm.evaluation.curves import line_chart
from tailorlm.evaluation.markup import Markup, element
from tailorlm.evaluation.names import in_order, method_kind, method_name, split_name, task_name
from tailorlm.evaluation.quantities import duration, gain, rounded, size
from tailorlm.evaluation.results import Results
from tailorlm.evaluation.scores import STYLE

COMPARED = ("base", "base_profile", "mt_lora", "p2p_shuffled", "p2p", "oppu")
"""Whose attributes are drawn: more bars would hide the comparison."""


def figure(chart: Markup, title: str, caption: str = "") -> Markup:
    """A chart with its title above and its caption below."""
    below = element("p", caption) if caption else None
    return element("figure", element("figcaption", element("h3", title), below), chart)


def task_chart(results: Results, task: str) -> Markup:
    """Every method's score of a task with its interval, a mark a split."""
    splits = results.splits()[:2]
    rows = [
        DotRow(
            method_name(name),
            tuple(dot(results, name, split, task) for split in splits),
            method_kind(name),
        )
        for name in in_order(results.methods)
        if any(results.score(name, split, task) is not None for split in splits)
    ]
    title = f"{task_name(task)}: score of every method"
    told = [f"{row.label} {' and '.join('-' if d is None else f'{d.value:.1f}' for d in row.dots)}" for row in rows]
    return figure(dot_chart(title, f"{', '.join(map(split_name, splits))}: {'; '.join(told)}.", rows), task_name(task))


def dot(results: Results, method: str, split: str, task: str) -> Dot | None:
    """A score in points with its interval."""
    score, ends = results.score(method, split, task), results.interval(method, split, task)
    if score is None:
        return None
    return Dot(100 * score, *(100 * end for end in ends)) if ends else Dot(100 * score)


def attribute_chart(results: Results, split: str, task: str) -> Markup | None:
    """Bars of each attribute's accuracy, grouped by attribute, for the methods that matter most."""
    found = {name: results.attributes.get(name, {}).get(split, {}).get(task, {}) for name in COMPARED}
    every = [attribute for attribute in STYLE if any(attribute in scores for scores in found.values())]
    groups = [
        (
            attribute.capitalize(),
            [share_bar(name, found[name][attribute]) for name in COMPARED if attribute in found[name]],
        )
        for attribute in every
    ]
    if not groups:
        return None
    title = f"{task_name(task)}, {split_name(split).lower()}"
    return figure(bar_chart(f"Style attributes: {title}", "Share of answers right in each attribute.", groups), title)


def share_bar(name: str, share: float) -> Bar:
    """A bar of a share in points."""
    return Bar(method_name(name), 100 * share, f"{100 * share:.0f}", method_kind(name))


def gain_over_base(results: Results) -> Markup | None:
    """Average gain over base on the users that OPPU was measured on, OPPU's gain as the reference line."""
    averages = results.same_averages()
    if "base" not in averages or "oppu" not in averages:
        return None
    gains = {name: 100 * (score - averages["base"]) for name, score in averages.items() if name != "base"}
    bars = [Bar(method_name(n), gains[n], gain(gains[n] / 100), method_kind(n)) for n in in_order(gains) if n != "oppu"]
    line = Bar("OPPU", gains["oppu"], gain(gains["oppu"] / 100), "tuned")
    about = f"Points on average, on the same {results.users.get('oppu', '')} users; OPPU {line.text}."
    title = "Gain over the base model, beside OPPU's"
    return figure(gain_chart(title, about, bars, line), title, about)


def curves_chart(results: Results) -> Markup | None:
    """Training loss against seconds."""
    lines = [
        (method_name(name), [(float(point["seconds"]), float(point["loss"])) for point in points])
        for name, points in results.curves.items()
        if points
    ]
    title = "Training loss"
    chart = line_chart(title, f"Loss against seconds of {', '.join(name for name, _ in lines)}.", lines)
    return figure(chart, title, "Means of neighbouring steps.") if lines else None


def cost_charts(results: Results) -> list[Markup]:
    """Time to personalise a user and what is kept of one, P2P against OPPU, on log scales."""
    timing = results.timing
    ours, theirs = timing.get("personalize_ms_per_user"), timing.get("oppu_s_per_user")
    seconds = (ours / 1000 if ours else None, theirs)
    kept = (timing.get("profile_bytes"), timing.get("adapter_bytes"))
    return [
        *pair_chart("Time to personalise one user", ("P2P: one pass", "OPPU: training"), seconds, duration),
        *pair_chart("Kept of one user", ("P2P: profile", "OPPU: adapter"), kept, size),
    ]


def pair_chart(
    title: str,
    labels: tuple[str, str],
    values: tuple[float | None, float | None],
    told: Callable[[float], str],
) -> list[Markup]:
    """Two positive values on one log scale and their ratio in words; nothing where one is missing."""
    ours, theirs = values
    if not ours or not theirs:
        return []
    bars = [Bar(labels[0], ours, told(ours), "ours"), Bar(labels[1], theirs, told(theirs), "tuned")]
    ticks = [(value, told(value)) for value in decades(min(ours, theirs), max(ours, theirs))]
    about = f"{bars[0].label} {bars[0].text}, {bars[1].label} {bars[1].text}, {ratio(ours, theirs)}. Log scale."
    return [figure(log_chart(title, about, bars, ticks), title, about)]


def ratio(ours: float, theirs: float) -> str:
    """How theirs compares with ours, in words."""
    if theirs >= ours:
        return f"{rounded(theirs / ours)} times as much"
    return f"{rounded(100 * theirs / ours)}% of it"
