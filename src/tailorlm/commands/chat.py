"""`tailor chat`: talk to the model as one user has tailored it, and compare with the base.

Knows nothing of training. Nothing that is said is written anywhere.
"""

import json
import sys
from collections.abc import Callable
from io import TextIOWrapper
from pathlib import Path
from typing import Any

from tailorlm.commands.places import users_in
from tailorlm.commands.quiet import no_bars_of_loading
from tailorlm.commands.result import Result, tell

HELP = "/base: the base model's answer to your last message · /new: forget the conversation · /profile · /quit"
Say = Callable[[str, str], None]


def run(
    checkpoint: str, path: Path, user: str | None, task: str | None, strength: float, base: str | None, device: str,
    dtype: str, max_new_tokens: int, temperature: float, seed: int | None, as_json: bool,
) -> Result:  # fmt: skip
    """Talk until /quit or the end of the input; the result is how many answers were given."""
    from tailorlm.tailor import Tailor

    person = chosen(users_in(path), user)
    no_bars_of_loading()
    tailor = Tailor.from_pretrained(checkpoint, base, device, dtype)
    adapter = tailor.personalize(users=person, task=task, strength=strength)
    profile = "\n".join(statement.text for statement in adapter.profiles[0].statements)
    tell(f"{person.id} as the model was told:\n{profile}\n")
    for note in adapter.notes.values():
        tell(f"note: {note}")
    tell(HELP)

    def answer(messages: list[dict[str, str]], own: bool) -> str:
        text = tailor.generate(
            messages, adapter if own else None, max_new_tokens=max_new_tokens, temperature=temperature, seed=seed
        )
        assert isinstance(text, str)
        return text

    read_leniently()
    turns = converse(answer, said(as_json), profile, lambda: read("> " if sys.stdin.isatty() else ""))
    return Result({"answers": turns}, [])


def chosen(path: Path, user: str | None) -> Any:
    """The user of that id, or the file's only one. ValueError where that is not one user."""
    from tailorlm.data.load import stream

    found = []
    for one, _ in stream(path):
        if user in (None, one.id):
            found.append(one)
        if len(found) > 1 or (found and user is not None):
            break
    if len(found) != 1:
        why = "several users: name one with --id" if found else (f"no user {user!a}" if user else "no users")
        raise ValueError(f"{path}: {why}")
    return found[0]


def converse(
    answer: Callable[[list[dict[str, str]], bool], str], say: Say, profile: str, ask: Callable[[], str | None]
) -> int:
    """The conversation; gives the number of answers. A message that the model cannot take is reported and dropped."""
    turns: list[dict[str, str]] = []
    count = 0
    while (text := ask()) is not None and text != "/quit":
        match text:
            case "":
                continue
            case _ if not is_text(text):
                tell("that line is not UTF-8 text; it was not sent")
            case "/new":
                turns = []
            case "/profile":
                tell(profile)
            case "/base" if turns:
                say("base", answer(turns[:-1], False))
                count += 1
            case _ if text.startswith("/"):
                tell(HELP)
            case _:
                turns, gave = replied(answer, say, [*turns, {"role": "user", "content": text}])
                count += gave
    return count


def replied(answer: Any, say: Say, turns: list[dict[str, str]]) -> tuple[list[dict[str, str]], int]:
    """The turns with the answer after them, and 1; without the last message, and 0, where it is too long."""
    try:
        text = answer(turns, True)
    except ValueError as error:
        tell(f"{error} (/new starts again)")
        return turns[:-1], 0
    say("tailored", text)
    return [*turns, {"role": "assistant", "content": text}], 1


def said(as_json: bool) -> Say:
    """How an answer is shown: who gave it, and the text."""

    def say(who: str, text: str) -> None:
        line = json.dumps({"model": who, "text": text}, ensure_ascii=False) if as_json else f"[{who}] {text}"
        sys.stdout.write(line + "\n")
        sys.stdout.flush()

    return say


def read_leniently() -> None:
    """From now on bytes that are no UTF-8 are read as lone surrogates: a bad line is not the end of the input."""
    if isinstance(sys.stdin, TextIOWrapper):
        sys.stdin.reconfigure(errors="surrogateescape")


def is_text(line: str) -> bool:
    """Whether a line was what its bytes claim: others are lone surrogates."""
    return not any("\ud800" <= letter <= "\udfff" for letter in line)


def read(prompt: str) -> str | None:
    """The next line without the spaces around it, or None at the end of the input."""
    try:
        return input(prompt).strip()
    except EOFError:
        return None
