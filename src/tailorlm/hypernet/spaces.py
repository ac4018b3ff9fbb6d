"""A space of adapters as JSON in a checkpoint's config, and back: its kind and its own fields, checked one by one.

Knows no kind: a space is a frozen dataclass of sites, numbers and names, and its kind's file is found by the name that
the config has. A config is untrusted: every field's type and size is checked before anything is built from it.
Source: design section 3 (a checkpoint names its sites; a mismatch is refused).
"""

import re
from dataclasses import fields
from typing import Any, get_type_hints

from tailorlm import plugins
from tailorlm.adapters.sites import Site
from tailorlm.adapters.space import AdapterSpace

LARGEST = {
    "encoder_size": 1 << 16, "slots": 1 << 13, "latent": 1 << 14, "head_in": 1 << 16,
    "components": 1 << 12, "queries": 1 << 10, "rank": 1 << 10, "layer": 1 << 12, "d_in": 1 << 20,
    "d_out": 1 << 20, "tokens": 1 << 12, "hidden": 1 << 20, "layers": 1 << 12, "heads": 1 << 12, "head_dim": 1 << 14,
}  # fmt: skip
LARGEST_NUMBER = 1 << 20
MOST_SITES, LONGEST_NAME = 1 << 14, 512
PATH = re.compile(r"[A-Za-z0-9_]+(\.[A-Za-z0-9_]+)*")


def space_fields(space: AdapterSpace) -> dict[str, Any]:
    """The space's fields as JSON has them. ValueError for a kind that a network cannot generate."""
    if space.kind not in plugins.names("adapters"):
        raise ValueError(f"a network cannot generate adapters of kind {space.kind!r}: it is no kind of its own")
    return {field.name: plain(getattr(space, field.name)) for field in fields(space)}  # type: ignore[arg-type]


def plain(value: Any) -> Any:
    """Sites as rows, tuples as lists."""
    if isinstance(value, tuple):
        return [plain(one) for one in value]
    return [value.path, value.module, value.layer, value.d_in, value.d_out] if isinstance(value, Site) else value


def parse_space(adapter: dict[str, Any]) -> AdapterSpace:
    """The space of a config's `adapter` table; raises ValueError."""
    kind, known = take(adapter, "kind", str), plugins.names("adapters")
    if kind not in known:
        raise ValueError(f"adapter.kind is {kind!r}; expected one of {', '.join(known)}")
    form = plugins.find("adapters", kind).Space
    hints = get_type_hints(form)
    space: AdapterSpace = form(**{field.name: parse(adapter, field.name, hints[field.name]) for field in fields(form)})
    return space


def parse(adapter: dict[str, Any], name: str, form: Any) -> Any:
    """One field by its type: a whole number, sites or names."""
    if form is int:
        return sized(adapter, name)
    rows = take(adapter, name, list)
    if form == tuple[Site, ...]:
        return parse_sites(rows)
    if form == tuple[str, ...] and len(rows) <= MOST_SITES:
        return tuple(take({name: row}, name, str) for row in rows)
    raise ValueError(f"adapter.{name} cannot be read")


def parse_sites(rows: list[Any]) -> tuple[Site, ...]:
    """Sites from [path, module, layer, d_in, d_out] rows."""
    if not 0 < len(rows) <= MOST_SITES:
        raise ValueError(f"adapter.sites has {len(rows)} rows; expected 1 to {MOST_SITES}")
    return tuple(parse_site(row, number) for number, row in enumerate(rows))


def parse_site(row: Any, number: int) -> Site:
    """One site; the module is the last part of the path, which is a dotted name."""
    if not isinstance(row, list) or len(row) != 5:
        raise ValueError(f"adapter.sites[{number}] must be [path, module, layer, d_in, d_out]")
    named = dict(zip(("path", "module", "layer", "d_in", "d_out"), row, strict=True))
    path, module = take(named, "path", str), take(named, "module", str)
    if not PATH.fullmatch(path) or path.rpartition(".")[2] != module:
        raise ValueError(f"adapter.sites[{number}]: path must be a dotted name that ends in its module")
    return Site(path, module, sized(named, "layer"), sized(named, "d_in"), sized(named, "d_out"))


def take(mapping: Any, name: str, kind: type) -> Any:
    """mapping[name] if it is exactly of that JSON type (a bool is no int) and no giant name."""
    if not isinstance(mapping, dict) or name not in mapping:
        raise ValueError(f"field {name!r} is missing")
    value = mapping[name]
    if type(value) is not kind:
        raise ValueError(f"field {name!r} must be {kind.__name__}, is {type(value).__name__}")
    if isinstance(value, str) and len(value) > LONGEST_NAME:
        raise ValueError(f"field {name!r} has {len(value)} characters; at most {LONGEST_NAME}")
    return value


def sized(mapping: dict[str, Any], name: str, limit: str | None = None) -> int:
    """A whole number within this format's limits; only a layer may be 0."""
    value, largest = int(take(mapping, name, int)), LARGEST.get(limit or name, LARGEST_NUMBER)
    if not (0 if name == "layer" else 1) <= value <= largest:
        raise ValueError(f"field {name!r} is {value}; expected at most {largest} and at least 1 (a layer: 0)")
    return value
