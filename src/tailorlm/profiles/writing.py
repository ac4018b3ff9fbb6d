"""Statements on free text: letter case, ending, emoji, opening words, length, favourite words.

Knows nothing of other users or of languages beyond word boundaries. Everything that an uncased encoder would
drop (case, punctuation, emoji) is put into words.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from statistics import median

from tailorlm.data.records import Interaction

EMOJI = re.compile("[\U0001f1e6-\U0001f1ff\U0001f300-\U0001faff\u2600-\u27bf\u2b50\u2b55\u203c\u2049]")
TAIL = re.compile("[\\s\ufe0f\u200d\U0001f3fb-\U0001f3ff\U0001f1e6-\U0001f1ff\U0001f300-\U0001faff\u2600-\u27bf\u2b50]+$")
MARKED = re.compile(r"(?:https?://|www\.|[@#])\S*")
WORD = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")  # noqa: RUF001
MOST, SOME = 0.6, 0.4

CASES = {
    "lower": "everything in lower case",
    "upper": "everything in upper case, all capitals",
    "title": "in title case, every word capitalised",
    "sentence": "in sentence case, only the first word capitalised",
    "after": "in lower case after the opening words",
    "mixed": "in mixed letter case",
}
ENDINGS = {
    "none": "without punctuation at the end",
    "stop": "with a full stop",
    "exclamation": "with an exclamation mark",
    "exclamations": "with several exclamation marks",
    "question": "with a question mark",
    "ellipsis": "with an ellipsis of three dots",
    "colon": "with another punctuation mark",
}
LENGTHS = (
    (4, "a few words long"),
    (8, "short, under ten words"),
    (15, "about a dozen words long"),
    (40, "a sentence or two long"),
    (120, "a paragraph long"),
)
RATIOS = (
    (0.4, "much shorter than the text given"),
    (0.85, "shorter than the text given"),
    (1.15, "about as long as the text given"),
    (2.0, "longer than the text given"),
)


def describe(items: Sequence[Interaction]) -> Iterator[tuple[str, str]]:
    """(facet, words) for case, ending, emoji, opener, length and terms, always all six."""
    outputs = [item.output.strip() for item in items]
    opening = opener(items)
    yield "case", _settled("writes", "letter case", CASES, [case(text, len(opening)) for text in outputs])
    yield "ending", _settled("ends", "ending", ENDINGS, [ending(text) for text in outputs])
    yield "emoji", _emoji(outputs)
    yield "opener", _opener(opening, len(items))
    yield "length", _length(items)
    yield "terms", _terms(items, opening)


def _settled(verb: str, noun: str, words: dict[str, str], seen: Sequence[str]) -> str:
    """The majority's words; hedged when the majority is thin or the items are few."""
    best, count = max(sorted(Counter(seen).items()), key=lambda pair: pair[1])
    if count < SOME * len(seen):
        return f"has no settled {noun}"
    if count < MOST * len(seen):
        return f"often {verb} {words[best]}"
    return f"{verb} {words[best]}" if len(seen) > 2 else f"so far {verb} {words[best]}"


def case(text: str, opening: int = 0) -> str:
    """One of CASES, judged without links and mentions; the first `opening` words count only for the first letter."""
    words = WORD.findall(MARKED.sub(" ", text))
    rest = words[opening:] or words
    if not rest:
        return "mixed"
    if sum(word.isupper() for word in rest) > 0.8 * len(rest) and len("".join(rest)) > 1:
        return "upper"
    return _small(words, rest)


def _small(words: Sequence[str], rest: Sequence[str]) -> str:
    later = rest[1:] if len(rest) > 1 and len(rest) == len(words) else rest
    capital = sum(word[0].isupper() for word in later)
    if capital * 10 <= len(later):
        opened = len(rest) < len(words)
        first = words[0][0].isupper()
        return ("after" if opened else "sentence") if first else "lower"
    long = [word for word in later if len(word) > 3] or later
    if sum(word[0].isupper() for word in long) >= 0.8 * len(long) and (len(rest) > 2 or not words[0].islower()):
        return "title"
    return "sentence" if words[0][0].isupper() and capital * 3 <= len(later) else "mixed"


def ending(text: str) -> str:
    """One of ENDINGS, judged before any emoji at the end."""
    text = TAIL.sub("", text).rstrip("\"'”’)")  # noqa: RUF001
    if text.endswith(("...", "…", "..")):
        return "ellipsis"
    if text.endswith("!"):
        return "exclamations" if text.endswith("!!") else "exclamation"
    last = text[-1:]
    if last.isalnum() or not last:
        return "none"
    return {"?": "question", ".": "stop"}.get(last, "colon")


def _emoji(outputs: Sequence[str]) -> str:
    found = [set(EMOJI.findall(text)) for text in outputs]
    using = sum(map(bool, found))
    if using < 0.25 * len(outputs) or not using:
        return "uses no emoji" if len(outputs) > 2 else "so far uses no emoji"
    often = "uses" if using >= MOST * len(outputs) else "sometimes uses"
    best, count = max(sorted(Counter(sign for signs in found for sign in signs).items()), key=lambda pair: pair[1])
    if count < MOST * using:
        return f"{often} various emoji"
    return f"{often} the {unicodedata.name(best, 'unnamed').lower()} emoji"


def opener(items: Sequence[Interaction]) -> tuple[str, ...]:
    """The first one to three words that most outputs share and that are not taken from the inputs; may be empty."""
    starts = [_start(item) for item in items]
    found: tuple[str, ...] = ()
    for size in (1, 2, 3):
        counted = Counter(start[:size] for start in starts if len(start) >= size and start[: size - 1] == found)
        best, count = max(sorted(counted.items()), key=lambda pair: pair[1], default=((), 0))
        if count < max(2, MOST * len(items)):
            break
        found = best
    return found


def _start(item: Interaction) -> tuple[str, ...]:
    """Up to three first words of the output in lower case, cut where one comes from the input."""
    given = set(WORD.findall(item.input.lower()))
    start = []
    for word in WORD.findall(item.output[:80].lower())[:3]:
        if word in given:
            break
        start.append(word)
    return tuple(start)


def _opener(opening: tuple[str, ...], count: int) -> str:
    if not opening:
        return "has no fixed opening words" if count > 2 else "no fixed opening words so far"
    return f"opens with the words {' '.join(opening)}"


def _length(items: Sequence[Interaction]) -> str:
    sizes = [len(item.output.split()) for item in items]
    ratio = median(size / max(1, len(item.input.split())) for size, item in zip(sizes, items, strict=True))
    absolute = next((words for most, words in LENGTHS if median(sizes) <= most), "several paragraphs long")
    relative = next((words for most, words in RATIOS if ratio <= most), "much longer than the text given")
    return f"writes texts {absolute}, {relative}"


def _terms(items: Sequence[Interaction], opening: tuple[str, ...]) -> str:
    """Up to three words of the user's own: in many outputs whose inputs do not have them, and rare in inputs."""
    own: Counter[str] = Counter()
    given: Counter[str] = Counter()
    for item in items:
        source = set(WORD.findall(item.input.lower()))
        given.update(source)
        own.update({word for word in WORD.findall(item.output.lower()) if len(word) > 4} - source)
    least = max(3, 0.3 * len(items))
    kept = [w for w, n in own.items() if n >= least and n > 2 * given[w] and w not in opening]
    if not kept:
        return "has no favourite words"
    return "favours the words " + ", ".join(sorted(sorted(kept), key=lambda word: -own[word])[:3])
