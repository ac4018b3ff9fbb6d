"""What of a task's records is searched with, searched in, and shown: three texts, made by pure functions.

Tasks fill it, contexts read it; neither knows the other. Knows nothing of how a search is done. Source: reference
section 4 (corpus and query of each task); the shown forms are our own words.
"""

from collections.abc import Callable
from dataclasses import dataclass

from .records import Interaction


@dataclass(frozen=True, slots=True)
class Retrieval:
    """query(input) -> what is searched for; document(item) -> what it is searched in; shown(item) -> as in a prompt."""

    query: Callable[[str], str]
    document: Callable[[Interaction], str]
    shown: Callable[[Interaction], str]


def whole_query(text: str) -> str:
    """All of the input."""
    return text


def said(item: Interaction) -> str:
    """The item's input."""
    return item.input


def given(item: Interaction) -> str:
    """What the user gave."""
    return item.output


def given_and_said(item: Interaction) -> str:
    """What the user gave, then what it was given to: a title and its text."""
    return f"{item.output} {item.input}".strip()


def said_and_given(item: Interaction) -> str:
    """The input, then what the user gave."""
    return f"{item.input} {item.output}".strip()


def labelled(input_name: str, output_name: str) -> Callable[[Interaction], str]:
    """Items as "{input_name}: ..." and "{output_name}: ...", a line each; an empty part has no line."""

    def shown(item: Interaction) -> str:
        parts = ((input_name, item.input), (output_name, item.output))
        return "\n".join(f"{name}: {text}" for name, text in parts if text.strip())

    return shown


WHOLE = Retrieval(whole_query, said_and_given, labelled("Question", "Answer"))
"""For tasks whose parts nobody knows: whole texts."""
