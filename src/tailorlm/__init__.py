"""TailorLM: a language model that fits each person.

The names below are imported when they are first used: `import tailorlm` loads neither torch nor anything slow.
Type checkers read `__init__.pyi`.
"""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"
__all__ = ["Example", "Interaction", "Personal", "Profile", "Statement", "Tailor", "User", "__version__"]

_HOME = {
    "Example": "data.records", "Interaction": "data.records", "User": "data.records",
    "Profile": "profiles.profile", "Statement": "profiles.profile", "Personal": "tailor", "Tailor": "tailor",
}  # fmt: skip


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'tailorlm' has no attribute {name!r}")
    found = getattr(import_module(f"tailorlm.{_HOME[name]}"), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted(__all__)
