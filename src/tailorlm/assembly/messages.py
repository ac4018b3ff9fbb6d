"""What callers of the public API hand over, checked before it is used: messages, users, numbers of the sampling.

Knows nothing of models. Errors say what was given and what is valid, never a text.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tailorlm.backbone.prompt import Prompt
from tailorlm.data.fields import text
from tailorlm.data.problems import FieldError
from tailorlm.data.records import User

ROLES = ("system", "user", "assistant")
EXPECTED = "expected a text, a conversation (a list of {role, content}), or a list of them"


def conversations(messages: Any) -> tuple[list[Any], bool]:
    """What is asked, as prompts and conversations, and whether it is one alone.

    TypeError for what is no message, ValueError for one that is malformed.
    """
    if not isinstance(messages, str) and (isinstance(messages, Mapping) or not isinstance(messages, Sequence)):
        raise TypeError(f"messages is {type(messages).__name__}: {EXPECTED}")
    single = isinstance(messages, str) or bool(messages and isinstance(messages[0], Mapping))
    asked = [messages] if single else list(messages)
    return [_asked(one, "messages" if single else f"messages[{place}]") for place, one in enumerate(asked)], single


def _asked(one: Any, where: str) -> Any:
    if isinstance(one, str):
        return Prompt(_text(one, where))
    if isinstance(one, Mapping) or not isinstance(one, Sequence):
        raise TypeError(f"{where} is {type(one).__name__}: {EXPECTED}")
    if not one:
        raise ValueError(f"{where} is an empty conversation: expected at least one turn")
    return [_turn(turn, f"{where}[{place}]") for place, turn in enumerate(one)]


def _turn(turn: Any, where: str) -> dict[str, str]:
    if not isinstance(turn, Mapping):
        raise TypeError(f"{where} is {type(turn).__name__}: expected a mapping with role and content")
    for key in ("role", "content"):
        if key not in turn:
            raise ValueError(f"{where} has no {key}: expected role and content")
    if turn["role"] not in ROLES:
        raise ValueError(f"{where}.role is {turn['role']!a}: expected one of {', '.join(ROLES)}")
    return {**turn, "content": _text(turn["content"], f"{where}.content")}


def _text(value: Any, where: str) -> str:
    try:
        return text(value, where)
    except FieldError as error:
        raise ValueError(f"{error.field}: {error.reason}") from None


def people(users: Any) -> list[User]:
    """One user or several, as a list. TypeError for anything else."""
    found = [users] if isinstance(users, User) else users
    if isinstance(found, str | Mapping) or not isinstance(found, Iterable):
        raise TypeError(f"users is {type(users).__name__}: expected a User or a list of them")
    found = list(found)
    for place, user in enumerate(found):
        if not isinstance(user, User):
            raise TypeError(f"users[{place}] is {type(user).__name__}: expected a User")
    return found


def check_sampling(max_new_tokens: Any, temperature: Any, seed: Any) -> None:
    """TypeError or ValueError for what no answer can be drawn with."""
    for name, value in (("max_new_tokens", max_new_tokens), ("seed", 0 if seed is None else seed)):
        if isinstance(value, bool) or not isinstance(value, int):
            raise TypeError(f"{name} is {type(value).__name__}: expected a whole number")
    if isinstance(temperature, bool) or not isinstance(temperature, int | float):
        raise TypeError(f"temperature is {type(temperature).__name__}: expected a number")
    if not math.isfinite(temperature) or temperature < 0:
        raise ValueError(f"temperature is {temperature}: expected 0 (greedy) or more")
