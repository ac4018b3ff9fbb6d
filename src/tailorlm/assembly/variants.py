"""Recipes with variants: one file for all tables of a paper, at the paper's size or small enough for two cores.

    scale = "paper"               # what is written here is called so
    [variants.scale.tiny]         # put over it with --set scale=tiny
    [variants.show.table_5]       # put over it with --set show=table_5; both go together

Each table of [variants] is an axis, chosen by the top-level key of its name; axes are put over in their order in the
file. Knows nothing of what a recipe is for. Source: issue 4 (the papers' recipes, `--set scale=tiny`); design (recipes
copied per variant: left behind).

Decisions
- Overrides win over variants, wherever they stand. What is read has neither the axes nor [variants]: a run's saved
  recipe is complete without them.
- Tables are put over tables; a list or a value replaces what was there.
- An axis that the recipe does not name, and that nobody sets, changes nothing.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tailorlm import recipe as toml

VARIANTS = "variants"
Table = Mapping[str, Any]


def load(path: str | Path, overrides: Sequence[str] = ()) -> dict[str, Any]:
    """A recipe's tables, in the variants that are asked for, with the overrides put in.

    ValueError as `recipe.load` raises it, and for a variant that is not there.
    """
    asked = toml.load(path, overrides)  # overrides may choose a variant, or change what it is
    gone = {VARIANTS, *axes(asked)}
    found = toml.overridden(varied(asked, toml.load(path)), overrides)
    return {key: value for key, value in found.items() if key not in gone}


def varied(table: Table, written: Table) -> dict[str, Any]:
    """The table with its chosen variants over it; an axis's value in `written` is the name of what is written.

    ValueError for a name that is neither that nor a variant.
    """
    found = {key: value for key, value in table.items() if key != VARIANTS}
    for axis, there in axes(table).items():
        found = over(found, chosen(axis, table.get(axis), there, written.get(axis)))
    return found


def axes(table: Table) -> dict[str, Mapping[str, Table]]:
    """The variants by axis. ValueError where they are no tables."""
    variants = table.get(VARIANTS, {})
    named = all(
        isinstance(there, Mapping) and all(isinstance(one, Mapping) for one in there.values())
        for there in (variants.values() if isinstance(variants, Mapping) else [None])
    )
    if not named:
        raise ValueError(f"{VARIANTS}: expected tables [{VARIANTS}.AXIS.NAME]")
    return dict(variants)


def chosen(axis: str, name: object, there: Mapping[str, Table], own: object) -> Table:
    """What the variant of that name changes."""
    if isinstance(name, str) and name in there:
        return there[name]
    if name == own:
        return {}
    valid = dict.fromkeys((*([str(own)] if own is not None else []), *there))
    raise ValueError(f"{axis} is {name!r}: no such variant of this recipe; there are: {', '.join(valid)}")


def over(table: Table, changes: Table) -> dict[str, Any]:
    """The table with the changes in it; tables are put over tables, at any depth."""
    mixed = dict(table)
    for name, value in changes.items():
        old = mixed.get(name)
        mixed[name] = over(old, value) if isinstance(old, Mapping) and isinstance(value, Mapping) else value
    return mixed
