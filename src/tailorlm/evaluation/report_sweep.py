"""Methods that are alike but for one setting, over one run or several: what a figure draws as a line.

A method is known by all that decided its answers (the metadata of its rows). Two that differ in the swept setting
alone, whatever run or row of a recipe they are from, are points of one line, if the same people were asked. Knows
nothing of figures.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from tailorlm.evaluation.names import CONTEXTS, METHODS, in_order, method_kind, method_name
from tailorlm.evaluation.report_apart import places
from tailorlm.evaluation.report_marks import Made, digest
from tailorlm.evaluation.report_run import Run

ASIDE = (
    "seed",
    "*.seed",
    "batch",
    "users_at_once",
    "base.device",
    "encoder.cache",
    "data.on_error",
    "*.gradient_norms",
)
"""Settings that make no other method."""
Flat = Mapping[str, Any]
Swept = Callable[[Run, Flat], tuple[Any, Sequence[str]] | None]
"""(run, settings by path) -> the value of what is swept, and the paths of all settings that go with it."""


@dataclass(frozen=True, slots=True)
class Member:
    """A method of a run at one value of what is swept; `people`: a digest of whom the run asked what."""

    run: Run
    method: str
    made: Made
    value: Any
    people: str


@dataclass(frozen=True, slots=True)
class Series:
    """Members of one kind, by value."""

    name: str
    kind: str
    members: tuple[Member, ...]


def alike(member: Member, paths: Sequence[str]) -> str:
    """A text that is the same for methods that differ in the settings `paths` alone, asked of the same people."""
    flat = flattened(member.made.about)
    kept = {
        path: value
        for path, value in flat.items()
        if path not in paths and not any(fnmatchcase(path, pattern) for pattern in ASIDE)
    }
    return json.dumps([member.made.adapter, member.made.context, kept, member.people], sort_keys=True)


def namesake(member: Member, paths: Sequence[str]) -> str:
    """A text that is the same for methods of one name, source, context and model, asked of the same people."""
    base = member.made.about.get("base")
    named = [member.method, member.made.adapter, member.made.context, base, member.people]
    return json.dumps(named, sort_keys=True)


def asked(run: Run) -> str:
    """A digest of who was asked what: how many users of each split, and of each task who they are and answered."""
    counts = [(split, run.results.users.get(split)) for split in run.results.splits()]
    people = [(place, sorted(run.marks.asked.get(place, ()))) for place in sorted(places(run))]
    return digest(repr([counts, people]))


def sweep(
    runs: Sequence[Run], swept: Swept, of: Callable[[Made], bool] = lambda made: bool(made.adapter),
    same: Callable[[Member, Sequence[str]], str] = alike, least: int = 2,
) -> list[Series]:  # fmt: skip
    """The series, of `least` values or more, of methods that `of` takes; of members with one value the first stays."""
    found: dict[str, list[Member]] = {}
    for run in runs:
        people = asked(run)
        for method, made in run.marks.made.items():
            said = swept(run, flattened(made.about)) if of(made) else None
            if said is not None:
                member = Member(run, method, made, said[0], people)
                found.setdefault(same(member, said[1]), []).append(member)
    series = [distinct(members) for members in found.values()]
    return named([members for members in series if len(members) >= least])


def setting(*patterns: str) -> Swept:
    """What is swept is the setting whose path matches the first of `patterns` that matches any."""

    def swept(run: Run, flat: Flat) -> tuple[Any, Sequence[str]] | None:
        for pattern in patterns:
            paths = [path for path, value in flat.items() if fnmatchcase(path, pattern) and value is not None]
            if paths:
                return flat[paths[0]], paths
        return None

    return swept


def of_split(name: str) -> Swept:
    """What is swept is the number in the folder NAME_NUMBER of the run's prepared split: who trained."""

    def swept(run: Run, flat: Flat) -> tuple[Any, Sequence[str]] | None:
        found = re.fullmatch(rf"(?:.*/)?{name}_([0-9]+)/[^/]+", str(flat.get("data.split.file", "")))
        return (int(found[1]), ("data.split.file",)) if found else None

    return swept


def either(*ways: Swept) -> Swept:
    """What the first of several ways finds."""
    return lambda run, flat: next((found for way in ways if (found := way(run, flat)) is not None), None)


def flattened(about: Mapping[str, Any], where: str = "") -> dict[str, Any]:
    """Tables of tables as one, with paths for names; lists are values."""
    flat: dict[str, Any] = {}
    for name, value in about.items():
        path = f"{where}{name}"
        flat |= flattened(value, f"{path}.") if isinstance(value, Mapping) else {path: value}
    return flat


def distinct(members: Sequence[Member]) -> list[Member]:
    """A member a value, in the order of values."""
    first: dict[str, Member] = {}
    for member in members:
        first.setdefault(json.dumps(member.value), member)
    return sorted(first.values(), key=lambda member: order(member.value))


def order(value: Any) -> tuple[int, float, str]:
    """Numbers by size, then words."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return (0, float(value), "") if number else (1, 0.0, str(value))


def named(found: Sequence[list[Member]]) -> list[Series]:
    """The series with their names; those of one name with the settings that tell them apart."""
    titles = [title(members) for members in found]
    made = []
    for members, own in zip(found, titles, strict=True):
        twins = [other for other, its in zip(found, titles, strict=True) if its == own]
        told = apart(members[0], [other[0] for other in twins]) if len(twins) > 1 else ""
        made.append(Series(f"{own}, {told}" if told else own, method_kind(members[0].made.adapter), tuple(members)))
    ranks = in_order({members[0].made.adapter for members in found} - {""})
    place = {members[0].made.adapter: ranks.index(members[0].made.adapter) for members in found if ranks}
    return [one for _, one in sorted(zip(found, made, strict=True), key=lambda pair: place[pair[0][0].made.adapter])]


def title(members: Sequence[Member]) -> str:
    """What the members' methods are called: by their one name, or by source and context."""
    names = {member.method for member in members}
    one = members[0].method
    if len(names) == 1 and (one in METHODS or method_name(one) != one):
        return method_name(one)
    contexts = {name.partition("+")[2] for name in names}
    shown = contexts.pop() if len(contexts) == 1 else ""
    return source_name(members[0].made, shown if shown in CONTEXTS else members[0].made.context)


def source_name(made: Made, shown: str) -> str:
    """A source and the context that is `shown` in words, as rows are named: the base's context alone."""
    context = CONTEXTS.get(shown, shown)
    if made.adapter in ("", "none"):
        return "Base model" if shown in ("", "none") else context
    own = method_name(made.adapter)
    return own if shown in ("", "none") else f"{own} + {context}"


def apart(one: Member, others: Sequence[Member]) -> str:
    """The settings, at most two, in which a member differs from members of the same name."""
    flats = [flattened(other.made.about) for other in others]
    own = flattened(one.made.about)
    odd = [path for path in own if any(flat.get(path) != own[path] for flat in flats)]
    return ", ".join(f"{path.rpartition('.')[2]} {own[path]}" for path in odd[:2])
