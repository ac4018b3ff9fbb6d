"""What training rows show beside an item is what evaluation shows beside a query: [contexts.NAME] and [eval] profiles.

Knows nothing of methods: `ItemSettings` are found at any depth of a method's settings, whose own words win.
Source: PRISP appendix B (training rows are written as prompts are); design section 2 (a context is one thing).
"""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from typing import Any, Literal, TypeVar

from tailorlm.assembly.variants import over
from tailorlm.methods.own_items import ItemSettings
from tailorlm.plugins import find
from tailorlm.recipe import settings as filled

S = TypeVar("S")
Tables = Mapping[str, Mapping[str, Any]]
"""The recipe's [contexts.NAME]."""


def check_contexts(contexts: Tables) -> None:
    """ValueError for the table of a context that is not there, or a setting that it lacks."""
    for name, table in contexts.items():
        filled(find("contexts", name).Settings, table, f"contexts.{name}")


def as_shown(settings: S, contexts: Tables, profiles: Literal["task", "all"]) -> S:
    """The settings whose rows in context are as evaluation writes prompts; plain rows stay as they are."""
    if isinstance(settings, ItemSettings):
        return settings if settings.context == "none" else _shown(settings, contexts, profiles)
    if not is_dataclass(settings) or isinstance(settings, type):
        return settings
    own = {one.name: getattr(settings, one.name) for one in fields(settings)}
    found = {name: as_shown(value, contexts, profiles) for name, value in own.items()}
    changed = {name: value for name, value in found.items() if value is not own[name]}
    return replace(settings, **changed) if changed else settings


def _shown(items: ItemSettings, contexts: Tables, profiles: Literal["task", "all"]) -> Any:
    options = over(contexts.get(items.context, {}), items.options)
    return replace(items, options=options, profiles=items.profiles or profiles)
