"""Recipes that are written for several sizes: as the paper has it, and small enough for two cores.

    scale = "paper"        # what is written here
    [scales.tiny]          # what is put over it with --set scale=tiny

A recipe without these keys has one size. Knows nothing of what a recipe is for. Source: issue 4 (the papers' recipes,
`--set scale=tiny`).

Decisions
- Overrides win over the scale, wherever `scale=` stands among them. What is read has neither key: a run's saved recipe
  is complete without them.
- Tables are put over tables; a list or a value replaces what was there.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tailorlm import recipe as toml

CHOSEN, THERE = "scale", "scales"


def load(path: str | Path, overrides: Sequence[str] = ()) -> dict[str, Any]:
    """A recipe's tables at the scale that is asked for, with the overrides put in.

    ValueError as `recipe.load` raises it, and for a scale that is not there.
    """
    own = toml.load(path).get(CHOSEN)
    found = toml.overridden(scaled(toml.load(path, overrides), own), overrides)
    return {key: value for key, value in found.items() if key not in (CHOSEN, THERE)}


def scaled(table: Mapping[str, Any], own: object = None) -> dict[str, Any]:
    """The table with `[scales.NAME]` over it, NAME being its `scale`; as it is where that is `own`, its own name.

    ValueError for a name that is neither.
    """
    scales, name = table.get(THERE, {}), table.get(CHOSEN)
    if not isinstance(scales, Mapping) or not all(isinstance(one, Mapping) for one in scales.values()):
        raise ValueError(f"{THERE}: expected tables, [{THERE}.NAME]")
    rest = {key: value for key, value in table.items() if key not in (CHOSEN, THERE)}
    if name in scales:
        return over(rest, scales[name])
    if name != own:
        there = dict.fromkeys((*([str(own)] if own is not None else []), *scales))
        raise ValueError(f"{CHOSEN} is {name!r}: no such scale in this recipe; there are: {', '.join(there) or 'none'}")
    return rest


def over(table: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """The table with the changes in it; tables are put over tables, at any depth."""
    mixed = dict(table)
    for name, value in changes.items():
        old = mixed.get(name)
        mixed[name] = over(old, value) if isinstance(old, Mapping) and isinstance(value, Mapping) else value
    return mixed
