"""Methods that are alike but for one setting, over one run or several: what a figure draws as a line.

A method is known by all that decided its answers (the metadata of its rows). Two that differ in the swept setting
alone, whatever run or row of a recipe they are from, are points of one line. Knows nothing of figures.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from tailorlm.evaluation.names import CONTEXTS, METHODS, in_order, method_kind, method_name
from tailorlm.evaluation.report_marks import Made
from tailorlm.evaluation.report_run import Run

ASIDE = ("seed", "*.seed", "batch", "users_at_once", "base.device", "encoder.cache", "data.on_error")
"""Settings that make no other method."""
Flat = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Member:
    """A method of a run at one value of the swept setting."""

    run: Run
    method: str
    made: Made
    value: Any


@dataclass(frozen=True, slots=True)
class Series:
    """Members of one kind, by value: at least two different ones."""

    name: str
    kind: str
    members: tuple[Member, ...]


def sweep(runs: Sequence[Run], patterns: Sequence[str], of: Callable[[Made], bool] = lambda made: True) -> list[Series]:
    """The series of a setting, whose path matches one of `patterns` (the first that does); of several members with
    one value the first stays."""
    found: dict[str, list[Member]] = {}
    for run in runs:
        for method, made in run.marks.made.items():
            flat = flattened(made.about)
            paths = matching(flat, patterns)
            if paths and of(made):
                found.setdefault(alike(run, made, flat, paths), []).append(Member(run, method, made, flat[paths[0]]))
    series = [distinct(members) for members in found.values()]
    return named([members for members in series if len(members) > 1])


def flattened(about: Mapping[str, Any], where: str = "") -> dict[str, Any]:
    """Tables of tables as one, with paths for names; lists are values."""
    flat: dict[str, Any] = {}
    for name, value in about.items():
        path = f"{where}{name}"
        flat |= flattened(value, f"{path}.") if isinstance(value, Mapping) else {path: value}
    return flat


def matching(flat: Flat, patterns: Sequence[str]) -> list[str]:
    """The paths of the first pattern that matches any."""
    for pattern in patterns:
        paths = [path for path, value in flat.items() if fnmatchcase(path, pattern) and value is not None]
        if paths:
            return paths
    return []


def alike(run: Run, made: Made, flat: Flat, swept: Sequence[str]) -> str:
    """A text that is the same for methods that differ in the swept setting alone, asked of as many users."""
    kept = {
        path: value
        for path, value in flat.items()
        if path not in swept and not any(fnmatchcase(path, pattern) for pattern in ASIDE)
    }
    users = {split: run.results.users.get(split) for split in run.results.splits()}
    return json.dumps([made.adapter, made.context, kept, users], sort_keys=True)


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
    if len(names) == 1 and members[0].method in METHODS:
        return method_name(members[0].method)
    return source_name(members[0].made)


def source_name(made: Made) -> str:
    """A source and its context in words: the base's context alone."""
    context = CONTEXTS.get(made.context, made.context)
    if made.adapter in ("", "none"):
        return "Base model" if made.context in ("", "none") else context
    own = method_name(made.adapter)
    return own if made.context in ("", "none") else f"{own} + {context}"


def apart(one: Member, others: Sequence[Member]) -> str:
    """The settings, at most two, in which a member differs from members of the same name."""
    flats = [flattened(other.made.about) for other in others]
    own = flattened(one.made.about)
    odd = [path for path in own if any(flat.get(path) != own[path] for flat in flats)]
    return ", ".join(f"{path.rpartition('.')[2]} {own[path]}" for path in odd[:2])
