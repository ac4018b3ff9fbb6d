"""Plugins by name: a module of a package of ours, or an entry point of somebody else's distribution.

`methods/p2p.py` is the method `p2p`; another distribution adds one with an entry point in the group
`tailorlm.methods` whose value is a module. Nothing is registered and no list is kept: adding a file adds a
plugin. Knows nothing of what a plugin does.

Decisions
- A module is a plugin if it defines, at its top level, `Settings` or the package's noun in capitals (`TASK`
  in tasks/), and its name has no leading underscore. What only serves the plugins may thus stand beside them
  (`tasks/task.py`). This is read from the source: looking for names imports nothing.
- Two providers of one name are refused with both named: neither wins in silence.
- What an import raises (a missing extra, say) passes through.
"""

import ast
from collections.abc import Iterator
from difflib import get_close_matches
from functools import cache
from importlib import import_module, metadata
from importlib.metadata import EntryPoint
from importlib.util import find_spec
from pathlib import Path
from pkgutil import iter_modules
from types import ModuleType

ROOT = __package__ or "tailorlm"


def names(package: str) -> tuple[str, ...]:
    """The plugins of a package ("tasks", "methods", "evaluation.figures", ...), sorted; imports none of them.

    Raises ValueError with the nearest valid names for what is no package of ours.
    """
    return tuple(sorted({*_own(package), *(point.name for point in _points(package))}))


def find(package: str, name: str) -> ModuleType:
    """The module of a plugin, imported.

    Raises ValueError with the nearest valid names for an unknown package or name, and where there are two
    providers or an entry point is no module.
    """
    own = name in _own(package)
    points = [point for point in _points(package) if point.name == name]
    providers = [f"{ROOT}.{package}.{name}"] * own + [_said(point) for point in points]
    if len(providers) > 1:
        there = ", ".join(providers)
        raise ValueError(f"{package} {name!a} has several providers, uninstall all but one: {there}")
    if not providers:
        raise ValueError(f"no {name!a} in {package}; {_nearest(name, names(package))}")
    return import_module(providers[0]) if own else _module(points[0])


def _own(package: str) -> tuple[str, ...]:
    """The plugins among our modules; ValueError for what is no package of ours."""
    folder = _folder(package)
    if folder is None:
        raise ValueError(f"no package {package!a} in {ROOT}; {_nearest(package, tuple(_packages()))}")
    marks = {"Settings", package.rpartition(".")[2].removesuffix("s").upper()}
    return tuple(
        path.stem
        for path in sorted(folder.glob("*.py"))
        if not path.stem.startswith("_") and not marks.isdisjoint(_defined(path, path.stat().st_mtime_ns))
    )


def _folder(package: str) -> Path | None:
    above, dot, own = package.rpartition(".")
    # An inner package only below a package: looking for one below a plugin would import the plugin.
    there = own.isidentifier() and (not dot or _folder(above) is not None)
    spec = find_spec(f"{ROOT}.{package}") if there else None
    return None if spec is None or not spec.submodule_search_locations else Path(spec.submodule_search_locations[0])


def _packages() -> Iterator[str]:
    path = import_module(ROOT).__path__
    return (name for _, name, is_package in iter_modules(path) if is_package)


@cache
def _defined(path: Path, changed: int) -> frozenset[str]:
    """The names that a module's source, last `changed` then, defines or imports at its top level."""
    return frozenset(_top_level(path))


def _top_level(path: Path) -> Iterator[str]:
    for node in ast.parse(path.read_bytes()).body:
        if isinstance(node, ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            yield from (target.id for target in targets if isinstance(target, ast.Name))
        elif isinstance(node, ast.ImportFrom):
            yield from (alias.asname for alias in node.names if alias.asname)


@cache
def entry_points(group: str) -> tuple[EntryPoint, ...]:
    """What is installed stays as it is while a process runs, and going through it takes 50 ms."""
    return tuple(metadata.entry_points(group=group))


def _points(package: str) -> tuple[EntryPoint, ...]:
    return tuple(entry_points(group=f"{ROOT}.{package}"))


def _said(point: EntryPoint) -> str:
    return f"{point.value} (of {point.dist.name if point.dist else 'an unnamed distribution'})"


def _module(point: EntryPoint) -> ModuleType:
    found = point.load()
    if not isinstance(found, ModuleType):
        raise ValueError(f"the entry point {point.name!a} of {point.group}, {_said(point)}, is not a module")
    return found


def _nearest(name: str, valid: tuple[str, ...]) -> str:
    close = get_close_matches(name, valid, n=3, cutoff=0.5)
    meant = f"did you mean {' or '.join(close)}? " if close else ""
    return f"{meant}there are: {', '.join(valid) or 'none'}"
