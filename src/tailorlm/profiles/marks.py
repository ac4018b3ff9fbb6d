"""What one text shows on its face: letter case, how it ends, its emoji, its words.

Knows nothing of users or of what texts say. Links and @mentions count for nothing.
"""

import re
from collections.abc import Sequence

PICTURES = "\U0001f300-\U0001f3fa\U0001f400-\U0001faff\u2600-\u27bf\u2b50\u2b55\u203c\u2049"
FLAGS = "\U0001f1e6-\U0001f1ff"
JOINERS = "\\s\ufe0f\u200d\U0001f3fb-\U0001f3ff"
EMOJI = re.compile(f"[{PICTURES}{FLAGS}]")
TAIL = re.compile(f"[{JOINERS}{PICTURES}{FLAGS}]+$")
MARKED = re.compile(r"(?:https?://|www\.|[@#])\S*")
WORD = re.compile("[^\\W\\d_]+(?:['\u2019-][^\\W\\d_]+)*")
CLOSERS = "\"'\u201d\u2019)"
ALONE = 3


def words(text: str) -> list[str]:
    """Runs of letters, in their own case, without links, mentions and hash tags."""
    return WORD.findall(MARKED.sub(" ", text) if "@" in text or "#" in text or "ht" in text else text)


def case(found: Sequence[str], opening: int = 0) -> str:
    """lower, upper, title, sentence, after or mixed, of a text's words in order.

    The first `opening` words are a fixed opening: they count only for the text's first letter. "after" is
    lower case but for that letter.
    """
    rest = found[opening:] or found
    if not rest:
        return "mixed"
    capital = [word for word in rest if word[0].isupper()]
    if sum(map(str.isupper, capital)) > 0.8 * len(rest) and sum(map(len, rest)) > 1:
        return "upper"
    if not capital:
        return "after" if len(rest) < len(found) and found[0][0].isupper() else "lower"
    return "title" if _titled(rest) else _sentence(found, rest, len(capital))


def _titled(rest: Sequence[str]) -> bool:
    """Nearly every longer word capitalised; two words or fewer look the same in a sentence with a name."""
    long = [word for word in rest if len(word) > ALONE] or rest
    capital = sum(word[0].isupper() for word in long)
    return len(rest) > 1 and capital >= 0.8 * len(long) and rest[-1][0].isupper()


def _sentence(found: Sequence[str], rest: Sequence[str], capitals: int) -> str:
    """A capital first letter, and names at most: a third of the other words."""
    inner = capitals - rest[0][0].isupper()
    return "sentence" if found[0][0].isupper() and 3 * inner <= max(3, len(rest) - 1) else "mixed"


def ending(text: str) -> str:
    """none, stop, exclamation, exclamations, question, ellipsis or other: the last mark before any emoji."""
    text = TAIL.sub("", text).rstrip(CLOSERS)
    if text.endswith(("...", "\u2026", "..")):
        return "ellipsis"
    if text.endswith("!"):
        return "exclamations" if text.endswith("!!") else "exclamation"
    last = text[-1:]
    if last.isalnum() or not last:
        return "none"
    return {"?": "question", ".": "stop"}.get(last, "other")


def emoji(text: str) -> set[str]:
    """The distinct emoji, without skin tones, joiners and variants."""
    return set() if text.isascii() else set(EMOJI.findall(text))
