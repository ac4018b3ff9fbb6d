"""Whether an answer has the target's style: letter case, ending, emoji, opener and length, each alone.

Each `same_*` compares two texts and is generic: what a text's attributes are follows from the text
alone, save known openers, which the caller lists. Knows nothing of tasks or of latent traits.
Source: issue 2 section 3.
"""

import re
from collections.abc import Callable, Mapping, Sequence

import emoji

from tailorlm.metrics.rows import check_rows, mean

Same = Callable[[str, str], bool]
LENGTH_TOLERANCE = 0.1


def letter_case(text: str) -> str:
    """`upper`, `lower`, `title` (two words or more, each with a capital), `sentence`, `mixed` or `none`."""
    words = [word for word in _words(text) if word.lower() != word.upper()]
    if not words:
        return "none"
    if all(word.isupper() for word in words):
        return "upper"
    if all(word.islower() for word in words):
        return "lower"
    if any(word[1:] != word[1:].lower() for word in words):
        return "mixed"
    if len(words) > 1 and all(word[0].isupper() for word in words):
        return "title"
    return "sentence" if words[0][0].isupper() else "mixed"


def ending(text: str) -> str:
    """The punctuation that a text ends with, emoji and spaces aside: "", "!", "?!"; "…" is "..."."""
    bare = _without_emoji(text).replace("…", "...").rstrip()
    return bare[len(bare.rstrip(".!?;:,~-")) :]


def emojis(text: str) -> frozenset[str]:
    """The different emoji in a text, skin tones and joined sequences as one."""
    return frozenset(found["emoji"] for found in emoji.emoji_list(text))


def opener(text: str, known: Sequence[str]) -> str:
    """The longest of the `known` openers that begin the text, case and punctuation aside, or ""."""
    words = [word.lower() for word in _words(text)]
    starts = (start for start in known if start and words[: len(_words(start))] == _words(start.lower()))
    return max(starts, key=len, default="")


def length(text: str) -> int:
    """The number of words, emoji and punctuation aside."""
    return len(_words(text))


def same_case(prediction: str, target: str) -> bool:
    """Both texts have one letter case."""
    return letter_case(prediction) == letter_case(target)


def same_ending(prediction: str, target: str) -> bool:
    """Both texts end with one punctuation."""
    return ending(prediction) == ending(target)


def same_emoji(prediction: str, target: str) -> bool:
    """Both texts have the same different emoji."""
    return emojis(prediction) == emojis(target)


def same_length(prediction: str, target: str) -> bool:
    """The prediction's number of words is within a tenth of the target's."""
    return abs(length(prediction) - length(target)) <= LENGTH_TOLERANCE * length(target)


def same_opener(known: Sequence[str]) -> Same:
    """A comparison of the texts' openers among the `known` ones."""
    return lambda prediction, target: opener(prediction, known) == opener(target, known)


def style(predictions: Sequence[str], targets: Sequence[str], same: Mapping[str, Same]) -> dict[str, float]:
    """The share of N rows on which each comparison of `same` holds, under its name.

    Raises ValueError where rows do not pair up.
    """
    check_rows(predictions, targets)
    rows = list(zip(predictions, targets, strict=True))
    return {name: mean([float(holds(*row)) for row in rows]) for name, holds in same.items()}


def _words(text: str) -> list[str]:
    return re.findall(r"[^\W_]+(?:['\u2019][^\W_]+)*", _without_emoji(text))


def _without_emoji(text: str) -> str:
    return emoji.replace_emoji(text, " ")
