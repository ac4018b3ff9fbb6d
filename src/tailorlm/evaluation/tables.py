"""The tables of a run's page: scores, paired differences, users worse off and drift.

Knows nothing of the page around them. Marks are words and signs as well as colours.
"""

from collections.abc import Iterable, Mapping, Sequence

from tailorlm.evaluation.markup import Child, Markup, element
from tailorlm.evaluation.names import (
    NOT_RANKED,
    in_order,
    method_kind,
    method_name,
    method_note,
    row_name,
    split_heading,
    split_name,
    task_name,
)
from tailorlm.evaluation.quantities import DASH, gain, points
from tailorlm.evaluation.results import Results
from tailorlm.evaluation.scores import STYLE


def table(title: str, heads: Sequence[Child], rows: Iterable[Markup], class_: str = "") -> Markup:
    """A titled table in a box of its own that scrolls sideways where the screen is narrow."""
    top = element("tr", *(element("th", head, scope="col") for head in heads))
    inner = element("table", element("thead", top), element("tbody", *rows), class_=class_, aria_label=title)
    box = element("div", inner, class_="scroll", tabindex=0, role="region", aria_label=title)
    return element("div", element("h3", title), box, class_="panel")


def score_table(results: Results, split: str) -> Markup:
    """A row a method with score and interval a task; best and second best marked."""
    tasks, measured = results.columns(), [n for n in in_order(results.methods) if split in results.methods[n]]
    ranks = {task: ranked(results, measured, split, task) for task in tasks}
    rows = [
        score_row(results, name, split, {task: ranks[task].get(name, "") for task in tasks})
        for name in measured
    ]
    caption = f"{split_heading(split, results.users.get(split))}: score from 0 to 100, 95% interval below"
    return table(caption, ["Method", *map(task_name, tasks)], rows, "scores")


def ranked(results: Results, names: Sequence[str], split: str, task: str) -> dict[str, str]:
    """Which method is best and which 2nd, equal scores alike, among rows that compare."""
    scores = {name: results.score(name, split, task) for name in names if name not in NOT_RANKED}
    known = {name: score for name, score in scores.items() if score is not None}
    top = sorted(set(known.values()), reverse=True)[:2]
    return {name: ("best", "2nd")[top.index(score)] for name, score in known.items() if score in top}


def score_row(results: Results, name: str, split: str, ranks: dict[str, str]) -> Markup:
    """One method's cells, its name and what it is in front."""
    oppu_users = results.users.get("oppu")
    note = element("small", method_note(name, oppu_users)) if method_note(name) else None
    cells = [score_cell(results, name, split, task, rank) for task, rank in ranks.items()]
    return element(
        "tr", element("th", row_name(name, oppu_users), note, scope="row"), *cells, class_=method_kind(name)
    )


def score_cell(results: Results, name: str, split: str, task: str, rank: str) -> Markup:
    """A score, its mark and its interval."""
    score, ends = results.score(name, split, task), results.interval(name, split, task)
    mark = element("span", rank, class_=f"rank {rank}") if rank else None
    shown = element("strong", points(score)) if rank == "best" else points(score)
    below = element("small", f"{points(ends[0])} to {points(ends[1])}") if ends else None
    return element("td", mark, shown, below)


def difference_tables(results: Results) -> list[Markup]:
    """Paired differences a split: a row a comparison, a cell a task."""
    tables = []
    for split in results.splits():
        rows = [
            difference_row(name, found[split], results.columns())
            for name, found in results.differences.items()
            if split in found
        ]
        caption = f"{split_name(split)}: difference in points, 95% interval over users"
        tables += [table(caption, ["Comparison", *map(task_name, results.columns())], rows)] if rows else []
    return tables


def difference_row(name: str, found: Mapping[str, Mapping[str, float]], tasks: Sequence[str]) -> Markup:
    """One comparison; a cell is marked where its interval leaves out zero."""
    title = " against ".join(method_name(part) for part in name.split(" - "))
    cells = [difference_cell(found[task]) if task in found else element("td", DASH) for task in tasks]
    return element("tr", element("th", title, scope="row"), *cells)


def difference_cell(found: Mapping[str, float]) -> Markup:
    """Mean and interval: an arrow up or down where it is clear of zero, a tilde where it is not."""
    sign, kind = (
        ("▲", "right") if found["low"] > 0 else ("▼", "wrong") if found["high"] < 0 else ("~", "unclear")
    )
    mark = element("span", sign, class_=f"sign {kind}")
    return element(
        "td", mark, gain(found["mean"]), element("small", f"{gain(found['low'])} to {gain(found['high'])}")
    )


def safety_table(results: Results) -> Markup | None:
    """Share of users worse off than with the base, a column a split, and drift."""
    names = in_order({*results.harmed, *results.drift})
    if not names:
        return None
    splits = results.splits()
    rows = [
        element(
            "tr",
            element("th", row_name(name, results.users.get("oppu")), scope="row"),
            *(element("td", percent(results.harmed.get(name, {}).get(split))) for split in splits),
            element("td", f"{results.drift[name]:.4f}" if name in results.drift else DASH),
        )
        for name in names
    ]
    heads = ["Method", *(f"{split_name(split)}: worse off" for split in splits), "Drift (nats per token)"]
    return table("Users worse off than with the base model, and drift on neutral prompts", heads, rows)


def metric_tables(results: Results) -> list[Markup]:
    """What the tasks' own metrics say, a table a task and split: rows are methods, columns metrics."""
    return [
        made
        for split in results.splits()
        for task in results.tasks()
        if (made := metric_table(results, split, task)) is not None
    ]


def metric_table(results: Results, split: str, task: str) -> Markup | None:
    """The metrics of one task on one split, style aside, which is drawn; None where there are none."""
    found = {name: by.get(split, {}).get(task, {}) for name, by in results.attributes.items()}
    columns = [
        name for name in dict.fromkeys(key for row in found.values() for key in row) if name not in STYLE
    ]
    if not columns:
        return None
    rows = [
        element(
            "tr", element("th", row_name(name, results.users.get("oppu")), scope="row"), *cells(row, columns)
        )
        for name in in_order(found)
        if (row := found[name])
    ]
    title = f"{task_name(task)}, {split_name(split).lower()}"
    return table(title, ["Method", *(column.replace("_", " ") for column in columns)], rows)


def cells(row: Mapping[str, float], columns: Sequence[str]) -> list[Markup]:
    """A cell a metric, three decimals; counts whole."""
    values = [row.get(column) for column in columns]
    return [element("td", DASH if value is None else f"{round(value, 3):g}") for value in values]


def percent(share: float | None) -> str:
    """A share 0..1 in percent, or a dash."""
    return DASH if share is None else f"{100 * share:.1f}%"
