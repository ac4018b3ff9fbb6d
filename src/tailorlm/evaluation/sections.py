"""The parts of a page that are text: the numbers to remember, targets, methods, timings, provenance.

Knows nothing of charts, of tables or of how numbers were made. A part without numbers is None.
"""

from collections.abc import Iterable

from tailorlm.evaluation.markup import Child, Markup, element, joined
from tailorlm.evaluation.names import METHODS, in_order, method_name, method_note
from tailorlm.evaluation.quantities import duration, gain
from tailorlm.evaluation.report_run import Run
from tailorlm.evaluation.results import Results
from tailorlm.evaluation.table import AVERAGE


def section(name: str, title: str, *children: Child) -> Markup:
    """A titled part of the page that can be linked to by name."""
    return element("section", element("h2", title), *children, id=name)


def headline(results: Results) -> Markup | None:
    """The few numbers that answer what the run shows."""
    cards = [
        card(*told)
        for told in (
            gain_card(results, "base"),
            gain_card(results, "mt_lora"),
            oppu_card(results),
            time_card(results),
        )
        if told[1]
    ]
    return element("div", *cards, class_="cards") if cards else None


def card(what: str, number: str, note: str, sure: bool = True) -> Markup:
    """One number with what it is and what it means; one that may be luck does not stand out."""
    big = element("dd", number, class_="big" if sure else "big unclear")
    parts = (element("dt", what), big, element("dd", note if sure else f"{note}: may be luck"))
    return element("dl", *parts, class_="card")


def gain_card(results: Results, other: str) -> tuple[str, str, str, bool]:
    """P2P's average gain over another method on the first split, with its interval, and whether that leaves out 0."""
    found = results.differences.get(f"p2p - {other}", {}).get(results.splits()[0], {}).get(AVERAGE)
    if not found:
        return "", "", "", True
    note = f"points on average, between {gain(found['low'])} and {gain(found['high'])} with 95% confidence"
    sure = not found["low"] <= 0 <= found["high"]
    return f"P2P over {method_name(other)}", gain(found["mean"]), note, sure


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
    note = f"to personalise a new user; OPPU takes {duration(tuned)}" if tuned else "to personalise a new user"
    return "One pass", duration(milliseconds / 1000), note


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


def provenance(run: Run, several: bool) -> Markup:
    """Where a run's numbers come from: commit, seeds, machine, versions, users."""
    heading = element("h3", run.name) if several else None
    return joined(heading, definitions(origin(run.results)))


def origin(results: Results) -> list[tuple[str, str]]:
    """What is known of a run, by name."""
    known = results.provenance
    silent = (("limit", 0), ("seeds", [known.get("seed")]))
    pairs = [
        (name.capitalize(), ", ".join(map(str, known[name])) if isinstance(known[name], list) else str(known[name]))
        for name in ("commit", "seed", "seeds", "limit", "dtype", "machine")
        if known.get(name) not in (None, "") and (name, known[name]) not in silent
    ]
    users = ", ".join(f"{count:,} {name}" for name, count in results.users.items() if count)
    versions = [(f"{name} version", str(version)) for name, version in (known.get("versions") or {}).items()]
    return [*pairs, *([("Users", users)] if users else []), *versions]


def what_rows_are(results: Results) -> Markup:
    """The methods in words, for screens too narrow to say it inside the table."""
    pairs = [
        (method_name(name), method_note(name, results.few(name), results.notes.get(name, "")))
        for name in in_order(results.methods)
    ]
    known = definitions((name, note) for name, note in pairs if note)
    return element("details", element("summary", "What each row is"), known, class_="rows")


def reasons(results: Results) -> Markup | None:
    """Why rows failed, in words: the most frequent reasons of each method."""
    found = [
        (method_name(name), reason)
        for name in in_order(results.failures)
        for reason in dict.fromkeys(
            reason for by in results.failures[name].values() for reason in by.get("reasons", {})
        )
    ]
    if not found:
        return None
    return element("details", element("summary", "Why rows failed"), definitions(found))


def timings(results: Results) -> Markup | None:
    """The time of each stage and their sum."""
    stages = results.timing.get("seconds") or {}
    if not stages:
        return None
    rows = [*stages.items(), ("all stages", sum(stages.values()))]
    pairs = [(stage_name(name), duration(seconds)) for name, seconds in rows]
    return element("figure", element("figcaption", element("h3", "Time of each stage")), definitions(pairs))


def stage_name(name: str) -> str:
    """A stage's name: that of its method, or its own words."""
    return method_name(name) if name in METHODS else name.replace("_", " ").capitalize()


def code(text: str) -> Markup:
    """A sentence of ours, with its `commands` as such."""
    return joined(*(element("code", part) if place % 2 else part for place, part in enumerate(text.split("`"))))


def definitions(pairs: Iterable[tuple[str, Child]]) -> Markup:
    """Names and values, side by side."""
    return element("dl", joined(*(joined(element("dt", a), element("dd", b)) for a, b in pairs)), class_="facts")
