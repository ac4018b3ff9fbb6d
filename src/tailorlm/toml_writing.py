"""Mappings and dataclasses as TOML that reads back as the same values. Knows nothing of what they are for.

TOML has no null: what is None is left out.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import date, time
from pathlib import Path
from typing import Any


def dump(recipe: object) -> str:
    """A mapping or a dataclass as TOML that reads back as the same values (paths as text, tuples as lists).

    Raises ValueError for what TOML cannot say: NaN, a None inside a list, other types.
    """
    return "\n".join(_lines(_table(recipe), ())).strip() + "\n"


def _table(recipe: object) -> dict[str, Any]:
    """Keys and values that are not None, of a mapping or a dataclass."""
    if is_dataclass(recipe) and not isinstance(recipe, type):
        recipe = {field.name: getattr(recipe, field.name) for field in fields(recipe)}
    if not isinstance(recipe, Mapping):
        raise ValueError(f"a recipe is a mapping or a dataclass, not {type(recipe).__name__}")
    return {key: value for key, value in recipe.items() if value is not None}


def _is_table(value: object) -> bool:
    return isinstance(value, Mapping) or (is_dataclass(value) and not isinstance(value, type))


def _lines(table: Mapping[str, Any], path: tuple[str, ...]) -> list[str]:
    lines = [f"{_key(key)} = {_written(value)}" for key, value in table.items() if not _is_table(value)]
    for key, value in table.items():
        if _is_table(value):
            inner = (*path, key)
            lines += ["", f"[{'.'.join(map(_key, inner))}]", *_lines(_table(value), inner)]
    return lines


def _key(key: str) -> str:
    return key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else _quoted(key)


def _quoted(text: str) -> str:
    if any("\ud800" <= letter <= "\udfff" for letter in text):
        raise ValueError("a text with a lone surrogate cannot be written")
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _written(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | Path):
        return _quoted(str(value))
    if isinstance(value, int | float) and value == value:
        return repr(value)
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_written, value))}]"
    if _is_table(value):
        return f"{{{', '.join(f'{_key(key)} = {_written(item)}' for key, item in _table(value).items())}}}"
    raise ValueError(f"TOML cannot say {value!r}")
