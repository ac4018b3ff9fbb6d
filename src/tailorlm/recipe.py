"""Recipes: TOML with overrides in, frozen dataclasses out, and TOML again beside every result.

Knows nothing of what a recipe is for: each plugin owns its `Settings`. Source: design section 5.

Decisions
- An override is `a.b.key=value` with a TOML value: `steps=100`, `lr=2e-4`, `names=["a", "b"]`. A value that
  starts with a letter, `.`, `/` or `~` and is no TOML (a shell has eaten its quotes) is a text:
  `base=Qwen/Qwen2.5-0.5B`. Anything else that is no TOML is refused. A later override wins; a table is never
  replaced by a value.
- A key that the dataclass lacks is refused with the nearest valid name, and a value of another type with the
  type that is due. A whole number is taken where a float is due; nothing else is converted. NaN is no
  setting.
- TOML has no null: a setting that is None is left out, and what is left out has its default.
"""

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, Field, fields, is_dataclass, replace
from difflib import get_close_matches
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from tailorlm.toml_writing import dump as dump

T = TypeVar("T")
_BARE = re.compile(r"[A-Za-z./~][^\s\"'\[\]{}#,=]*")
_PATH = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*")


def load(path: str | Path, overrides: Sequence[str] = ()) -> dict[str, Any]:
    """A recipe's tables with the overrides put in, in their order.

    Raises ValueError with the file and the line, or the override, that cannot be read.
    """
    return overridden(_read(Path(path)), overrides)


def overridden(table: Mapping[str, Any], overrides: Sequence[str]) -> dict[str, Any]:
    """The table with the overrides put in, in their order. Raises ValueError with the one that cannot be."""
    found = dict(table)
    for text in overrides:
        found = _put(found, *override(text), f"--set {text}")
    return found


def override(text: str) -> tuple[list[str], Any]:
    """`a.b=1` as the names of the way and the value. Raises ValueError where it is not of that form."""
    path, equals, written = text.partition("=")
    if not equals or not _PATH.fullmatch(path.strip()):
        raise ValueError(f"--set {text}: expected key=value or table.key=value")
    return path.strip().split("."), _value(written.strip(), text)


def settings(cls: type[T], table: Mapping[str, Any], where: str = "", base: T | None = None) -> T:
    """A dataclass filled from a table; `where` is the table's name in messages.

    What the table does not say is as in `base`, without one as in the class's defaults: a field whose default is a
    dataclass with values of its own keeps those that its inner table does not name.

    Fields may be str, bool, int, float, Path, Any, Literal, `X | None`, other unions, tuple, list,
    Sequence, dict, Mapping, and dataclasses. Raises ValueError for unknown and missing keys and for
    wrong types, and what the dataclass itself raises, with where that is.
    """
    known = {field.name: field for field in fields(cls) if field.init}  # type: ignore[arg-type]
    for key in table:
        if key not in known:
            raise ValueError(f"{_at(where, key)}: no such setting; {_nearest(key, known)}")
    missing = [name for name, field in known.items() if base is None and name not in table and _needed(field)]
    if missing:
        raise ValueError(f"{_at(where, missing[0])}: missing, and it has no default")
    hints = get_type_hints(cls)
    made = {
        key: _filled(value, hints[key], _at(where, key), _default(known[key], base)) for key, value in table.items()
    }
    try:
        return cls(**made) if base is None else replace(base, **made)  # type: ignore[type-var]
    except ValueError as error:
        raise ValueError(_located(str(error), where)) from None


def _located(said: str, where: str) -> str:
    """A dataclass's own message with the whole path of its table, of which it may name the end: `train.steps is 0`."""
    path = where.split(".") if where else []
    for start in range(len(path)):
        if said.startswith(".".join([*path[start:], ""])):
            return ".".join([*path[:start], said])
    return f"{where}: {said}" if where else said


def _default(field: Field[Any], base: Any) -> Any:
    """What the field holds where nothing is said."""
    if base is not None:
        return getattr(base, field.name)
    return field.default if field.default_factory is MISSING else field.default_factory()


def _filled(value: Any, kind: Any, where: str, default: Any) -> Any:
    if isinstance(value, Mapping) and isinstance(kind, type) and is_dataclass(kind) and isinstance(default, kind):
        return settings(kind, value, where, default)
    return _convert(value, kind, where)


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        reason = error.strerror or type(error).__name__
    except UnicodeDecodeError as error:
        reason = f"not UTF-8 at byte {error.start + 1}"
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        reason = f"not TOML: {error}"
    raise ValueError(f"recipe {path}: {reason}")


def _value(written: str, text: str) -> Any:
    try:
        found = tomllib.loads(f"value = {written}")
        if set(found) == {"value"}:
            return found["value"]
    except tomllib.TOMLDecodeError:
        if _BARE.fullmatch(written):
            return written
    raise ValueError(f'--set {text}: the value is not TOML; text needs quotes: "..."')


def _put(table: Mapping[str, Any], path: list[str], value: Any, said: str) -> dict[str, Any]:
    """The table with the value at the end of the path; tables on the way are made where there are none."""
    key, rest, old = path[0], path[1:], table.get(path[0])
    if rest and not isinstance(old, Mapping | None):
        raise ValueError(f"{said}: {key} is a value in the recipe, not a table")
    if not rest and isinstance(old, Mapping) != isinstance(value, Mapping) and old is not None:
        raise ValueError(f"{said}: {key} is a {'table' if isinstance(old, Mapping) else 'value'} in the recipe")
    return {**table, key: _put(old or {}, rest, value, said) if rest else value}


def _at(where: str, key: str) -> str:
    return f"{where}.{key}" if where else key


def _needed(field: Field[Any]) -> bool:
    return field.default is MISSING and field.default_factory is MISSING


def _nearest(key: str, known: Mapping[str, object]) -> str:
    close = get_close_matches(key, known, n=1, cutoff=0.5)
    return (f"did you mean {close[0]}? " if close else "") + f"there are: {', '.join(known) or 'none'}"


def _convert(value: Any, kind: Any, where: str) -> Any:
    """The value as the field's type has it."""
    origin, inner = get_origin(kind), get_args(kind)
    if origin in (Union, UnionType):
        return _either(value, inner, where)
    if origin is Literal:
        return _checked(value, any(value == one and type(value) is type(one) for one in inner), kind, where)
    if kind in (tuple, list) or origin in (tuple, list, Sequence):
        return _several(value, origin or kind, inner, where)
    if kind is dict or origin in (dict, Mapping):
        table = _checked(value, isinstance(value, Mapping), kind, where)
        return {key: _convert(item, inner[1] if inner else Any, _at(where, key)) for key, item in table.items()}
    if is_dataclass(kind):
        return settings(kind, _checked(value, isinstance(value, Mapping), kind, where), where)  # type: ignore[arg-type]
    return _plain(value, kind, where)


def _plain(value: Any, kind: Any, where: str) -> Any:
    if kind in (Any, object):
        return value
    if kind is float:
        right = isinstance(value, int | float) and not isinstance(value, bool) and value == value
        return float(_checked(value, right, kind, where))
    if kind is Path:
        return Path(_checked(value, isinstance(value, str), "a path in quotes", where))
    if kind not in (str, bool, int, NoneType):
        raise TypeError(f"{where}: a setting cannot be of type {kind}")
    return _checked(value, type(value) is kind, kind, where)


def _either(value: Any, kinds: tuple[Any, ...], where: str) -> Any:
    """The first of the kinds that takes the value; the error of the only one that is not None."""
    real = [kind for kind in kinds if kind is not NoneType]
    if len(real) == 1:
        return _convert(value, real[0], where)
    for kind in sorted(real, key=lambda kind: kind is not type(value)):
        try:
            return _convert(value, kind, where)
        except ValueError:
            continue
    return _checked(value, False, " or ".join(map(_said, real)), where)


def _several(value: Any, kind: Any, inner: tuple[Any, ...], where: str) -> Any:
    found = list(_checked(value, isinstance(value, list | tuple), "a list", where))
    if kind is tuple and inner and inner[-1] is not Ellipsis:
        _checked(value, len(found) == len(inner), f"{len(inner)} values", where)
        return tuple(_convert(item, one, where) for item, one in zip(found, inner, strict=True))
    each = inner[0] if inner else Any
    items = (_convert(item, each, f"{where}[{i}]") for i, item in enumerate(found))
    return list(items) if kind is list else tuple(items)


def _checked(value: Any, right: bool, kind: Any, where: str) -> Any:
    if not right:
        raise ValueError(f"{where}: expected {_said(kind)}, found {value!r}")
    return value


def _said(kind: Any) -> str:
    plain = {str: "text in quotes", bool: "true or false", int: "a whole number", float: "a number"}
    if get_origin(kind) is Literal:
        return "one of " + ", ".join(map(repr, get_args(kind)))
    if is_dataclass(kind) or kind is dict or get_origin(kind) in (dict, Mapping):
        return "a table"
    return kind if isinstance(kind, str) else plain.get(kind, str(kind))
