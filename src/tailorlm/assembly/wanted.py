"""Which adapter source a row of the evaluation wants, whole: its settings, and the source that it begins at.

Two rows that want the same have the same `key`: the source is prepared once and shared. Knows nothing of what sources
do. Source: design section 2 (adapter = "prisp", anchor = "p2p").
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any, TypeVar

from tailorlm.assembly import compatible
from tailorlm.assembly.compared import Compared, compared, nearest
from tailorlm.assembly.recipes import Recipe, plain, seeded, trained_on
from tailorlm.assembly.shown import as_shown
from tailorlm.assembly.splitting import asked
from tailorlm.assembly.variants import over
from tailorlm.methods.source import Needs
from tailorlm.plugins import find, names
from tailorlm.recipe import settings as filled

S = TypeVar("S")
NOTHING = "base"
"""What a row begins at that begins at no other source."""


@dataclass(frozen=True)
class Wanted:
    """A source by name, with its `Settings`, and the one whose adapters it begins at.

    `train`: the file below data.root whose users it is trained on; "" is data.train.
    """

    adapter: str
    settings: Any
    start: "Wanted | None" = None
    train: str = ""

    def about(self) -> dict[str, Any]:
        """All that decides what the source is, as plain values."""
        begins = {} if self.start is None else {"start": self.start.about()}
        people = {"train": self.train} if self.train else {}
        return {"adapter": self.adapter, "settings": plain(self.settings), **begins, **people}

    @property
    def key(self) -> str:
        """The same for the same source, whatever rows call it."""
        return hashlib.sha256(json.dumps(self.about(), sort_keys=True).encode()).hexdigest()[:12]


def wanted(recipe: Recipe, row: Compared, seed: int | None = None) -> Wanted:
    """The source of a row; `seed` moves all of its seeds by what it differs from the recipe's.

    ValueError for a setting or a start that is not there, and for starts that go round in a circle.
    """
    rows = {one.name: one for one in compared(recipe.eval)}
    return _wanted(recipe, row, rows, (row.name,), 0 if seed is None else seed - recipe.seed)


def standard(recipe: Recipe, adapter: str) -> Wanted:
    """The source as `tailor train` makes it: the recipe's own settings, start and seed."""
    return _wanted(recipe, Compared(name=adapter, adapter=adapter), {}, (), 0)


def needs(source: Wanted) -> Needs:
    """What the source must be given, with all that the sources need which it begins at."""
    module = find("methods", source.adapter)
    own: Needs = module.needs(source.settings) if hasattr(module, "needs") else module.NEEDS
    if source.start is None:
        return own
    before = needs(source.start)
    return Needs(**{one.name: getattr(own, one.name) or getattr(before, one.name) for one in fields(Needs)})


def context_settings(recipe: Recipe, row: Compared) -> Any:
    """The `Settings` of a row's context: [contexts.NAME] and the row's own over it."""
    table = over(recipe.contexts.get(row.context, {}), row.context_settings)
    return filled(find("contexts", row.context).Settings, table, f"contexts.{row.context}")


def check_rows(recipe: Recipe) -> None:
    """ValueError for whatever a row of the evaluation cannot be."""
    asked(recipe)
    rows = {row.name: row for row in compared(recipe.eval)}
    for row in rows.values():
        compatible.check_row(row.name, _wanted(recipe, row, rows, (row.name,), 0), row.control)
        context_settings(recipe, row)


Rows = Mapping[str, Compared]


def _wanted(recipe: Recipe, row: Compared, rows: Rows, path: tuple[str, ...], by: int) -> Wanted:
    table = over(recipe.methods.get(row.adapter, {}), row.settings)
    cls = find("methods", row.adapter).Settings
    settings = filled(cls, seeded(cls, table, recipe.seed), f"methods.{row.adapter}")
    settings = as_shown(settings, recipe.contexts, recipe.eval.profiles)
    begins = _start(recipe, row, rows, path, by)
    return Wanted(row.adapter, moved(settings, by), begins, trained_on(recipe.data, row))


def _start(recipe: Recipe, row: Compared, rows: Rows, path: tuple[str, ...], by: int) -> Wanted | None:
    """What the row begins at: another row's source, a method as the recipe has it, or None for the base."""
    name = row.start or (recipe.start if row.adapter == "p2p" else NOTHING)
    if name == NOTHING:
        return None
    if row.start in rows and row.start != row.name:
        if name in path:
            raise ValueError(f"eval.methods: starts go round in a circle: {' -> '.join((*path, name))}")
        return _wanted(recipe, rows[name], rows, (*path, name), by)
    if name not in names("methods"):
        there = dict.fromkeys((NOTHING, *rows, *names("methods")))
        raise ValueError(f"eval row {row.name!a} starts at {name!a}; {nearest(name, tuple(there))}")
    return _wanted(recipe, Compared(name=name, adapter=name), rows, path, by)


def moved(settings: S, by: int) -> S:
    """The settings with `by` added to every seed in them, at any depth."""
    if not by or not is_dataclass(settings) or isinstance(settings, type):
        return settings
    changed: dict[str, Any] = {}
    for one in fields(settings):
        value = getattr(settings, one.name)
        if one.name == "seed" and isinstance(value, int):
            changed[one.name] = value + by
        elif is_dataclass(value):
            changed[one.name] = moved(value, by)
    return replace(settings, **changed) if changed else settings
