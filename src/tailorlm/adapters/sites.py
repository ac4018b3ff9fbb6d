"""Where adapters sit: the linear layers of a model, in one order that never depends on sets or dicts.

Knows nothing of models or weights. Source: design section 3 (the module index of a published checkpoint
came from a Python set, so that a reload could swap q and v).
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby, pairwise


@dataclass(frozen=True, slots=True)
class Site:
    """One linear layer: its `path` in the model, the `module` name (last part), its `layer`, its sizes."""

    path: str
    module: str
    layer: int
    d_in: int
    d_out: int


@dataclass(frozen=True, slots=True)
class Group:
    """Sites of one module name and shape, a layer each, in the order of the layers."""

    name: str
    module: str
    d_in: int
    d_out: int
    sites: tuple[Site, ...]


def sort_sites(sites: Iterable[Site]) -> tuple[Site, ...]:
    """Sites by (module, d_in, d_out, layer). Raises ValueError when two share that key or there is none."""
    ordered = tuple(sorted(sites, key=lambda s: (_kind(s), s.layer, s.path)))
    if not ordered:
        raise ValueError("no sites: name at least one linear layer to adapt, e.g. q_proj")
    for a, b in pairwise(ordered):
        if (_kind(a), a.layer) == (_kind(b), b.layer):
            raise ValueError(
                f"{a.path} and {b.path} have the same module name, shape and layer; "
                "an adapter has one site of a kind per layer"
            )
    return ordered


def group_sites(sites: Iterable[Site]) -> tuple[Group, ...]:
    """The groups of `sites`, sorted by (module, d_in, d_out); a module of two shapes is named with them."""
    runs = [tuple(run) for _, run in groupby(sort_sites(sites), key=_kind)]
    shapes_of = Counter(run[0].module for run in runs)
    return tuple(_group(run, unique=shapes_of[run[0].module] == 1) for run in runs)


def file_key(site: Site) -> str:
    """What PEFT's files call the site."""
    return f"base_model.model.{site.path}"


def _kind(site: Site) -> tuple[str, int, int]:
    return site.module, site.d_in, site.d_out


def _group(run: tuple[Site, ...], unique: bool) -> Group:
    module, d_in, d_out = _kind(run[0])
    name = module if unique else f"{module}.{d_in}x{d_out}"
    return Group(name, module, d_in, d_out, run)
