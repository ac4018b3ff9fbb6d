"""The parts of a run's page that are text and tables: scores, differences, harm, targets, provenance.

Knows nothing of charts or of how numbers were made. A part without numbers is None.
"""

from collections.abc import Iterable, Mapping, Sequence

from tailorlm.evaluation.markup import Child, Markup, element, joined
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
from tailorlm.evaluation.quantities import DASH, duration, gain, points
from tailorlm.evaluation.results import Results
from tailorlm.evaluation.table import AVERAGE


def section(name: str, title: str, *children: Child) -> Markup:
    """A titled part of the page that can be linked to by name."""
    return element("section", element("h2", title), *children, id=name)


def table(caption: str, heads: Sequence[Child], rows: Iterable[Markup], class_: str = "") -> Markup:
    """A table in a box of its own that scrolls sideways where the screen is narrow."""
    top = element("tr", *(element("th", head, scope="col") for head in heads))
    body = element("tbody", *rows)
    inner = element("table", element("caption", caption), element("thead", top), body, class_=class_ or None)
    return element("div", inner, class_="scroll", tabindex=0, role="region", aria_label=caption)


def headline(results: Results) -> Markup | None:
    """The few numbers that answer what the run shows."""
    cards = [
        card(what, number, note)
        for what, number, note in (
            gain_card(results, "base"),
            gain_card(results, "mt_lora"),
            oppu_card(results),
            time_card(results),
        )
        if number
    ]
    return element("div", *cards, class_="cards") if cards else None


def card(what: str, number: str, note: str) -> Markup:
    """One number with what it is and what it means."""
    parts = (element("dt", what), element("dd", number, class_="big"), element("dd", note))
    return element("dl", *parts, class_="card")


def gain_card(results: Results, other: str) -> tuple[str, str, str]:
    """P2P's average gain over another method on unseen users, with its interval."""
    found = results.differences.get(f"p2p - {other}", {}).get("random", {}).get(AVERAGE)
    if not found:
        return "", "", ""
    note = f"points on average, between {gain(found['low'])} and {gain(found['high'])} with 95% confidence"
    return f"P2P over {method_name(other)}", gain(found["mean"]), note


def oppu_card(results: Results) -> tuple[str, str, str]:
    """The share of OPPU's gain over base that P2P reaches on the same users."""
    same = results.same_averages()
    if not {"base", "p2p", "oppu"} <= same.keys():
        return "", "", ""
    ours, theirs = same["p2p"] - same["base"], same["oppu"] - same["base"]
    if theirs <= 0:
        return "", "", ""
    return (
        "Of OPPU's gain",
        f"{100 * ours / theirs:.0f}%",
        "reached by P2P on the same users, without training for them",
    )


def time_card(results: Results) -> tuple[str, str, str]:
    """The time that personalising a new user takes."""
    milliseconds = results.timing.get("personalize_ms_per_user")
    if not milliseconds:
        return "", "", ""
    tuned = results.timing.get("oppu_s_per_user")
    note = (
        f"to personalise a new user; OPPU takes {duration(tuned)}" if tuned else "to personalise a new user"
    )
    return "One pass", duration(milliseconds / 1000), note


def score_table(results: Results, split: str) -> Markup:
    """A row a method with score and interval a task; best and second best marked."""
    tasks, measured = results.tasks(), [n for n in in_order(results.methods) if split in results.methods[n]]
    ranks = {task: ranked(results, measured, split, task) for task in tasks}
    rows = [
        score_row(results, name, split, {task: ranks[task].get(name, "") for task in tasks})
        for name in measured
    ]
    caption = f"{split_heading(split, results.users.get(split))}: score from 0 to 100, 95% interval below"
    return table(caption, ["Method", *map(task_name, tasks)], rows, "scores")


def ranked(results: Results, names: Sequence[str], split: str, task: str) -> dict[str, str]:
    """ "best" and "2nd" by method, equal scores alike, among rows that compare."""
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
            difference_row(name, found[split], results.tasks())
            for name, found in results.differences.items()
            if split in found
        ]
        caption = f"{split_name(split)}: difference in points, 95% interval over users"
        tables += [table(caption, ["Comparison", *map(task_name, results.tasks())], rows)] if rows else []
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


def percent(share: float | None) -> str:
    """A share 0..1 in percent, or a dash."""
    return DASH if share is None else f"{100 * share:.1f}%"


def target_list(results: Results) -> Markup | None:
    """What the run had to show: met or not, in words and signs."""
    items = [
        element("li", sign(bool(target["met"])), element("strong", f"{target['what']}:"),
                f" wanted {target['wanted']}, got {target['got']}")
        for target in results.targets
    ]  # fmt: skip
    return element("ul", *items, class_="targets") if items else None


def sign(met: bool) -> Markup:
    """Met or not, told apart by sign and word as well as by colour."""
    return element("span", "✓ met" if met else "✗ not met", class_=f"sign {'right' if met else 'wrong'}")


def provenance(results: Results) -> Markup:
    """Where the numbers come from: commit, seed, machine, versions, users."""
    known = results.provenance
    pairs = [
        (name.capitalize(), str(known[name]))
        for name in ("commit", "seed", "dtype", "machine")
        if name in known
    ]
    pairs += (
        [("Users", ", ".join(f"{count} {name}" for name, count in results.users.items()))]
        if results.users
        else []
    )
    pairs += [(f"{name} version", str(version)) for name, version in (known.get("versions") or {}).items()]
    return definitions(pairs)


def timings(results: Results) -> Markup | None:
    """The time of each stage and their sum."""
    stages = results.timing.get("seconds") or {}
    if not stages:
        return None
    rows = [*stages.items(), ("all stages", sum(stages.values()))]
    pairs = [(name.replace("_", " ").capitalize(), duration(seconds)) for name, seconds in rows]
    return element("figure", element("figcaption", element("h3", "Time of each stage")), definitions(pairs))


def definitions(pairs: Iterable[tuple[str, str]]) -> Markup:
    """Names and values, side by side."""
    return element(
        "dl", joined(*(joined(element("dt", a), element("dd", b)) for a, b in pairs)), class_="facts"
    )
