"""Statements on free text: letter case, ending, emoji, opening words, length, favourite words.

Knows nothing of other users or of languages beyond word boundaries. Everything that an uncased encoder would
drop (case, punctuation, emoji) is put into words. What fewer than three in five items show is hedged, so
that one item in ten off-trait changes no wording. Words that name a sensitive trait are not repeated.
"""

import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from statistics import median

from tailorlm.data.records import Interaction
from tailorlm.profiles.marks import case, emoji, ending, words
from tailorlm.profiles.sensitive import TRAITS, named

MOST, SOME, RARE = 0.6, 0.4, 0.25
FEW = 2

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
    "other": "with another punctuation mark",
}
LENGTHS = (
    (4, "a few words long"),
    (8, "short, under ten words"),
    (15, "about a dozen words long"),
    (40, "a sentence or two long"),
    (120, "a paragraph long"),
)
RATIOS = (
    (0.2, "shortens the text given to a fraction"),
    (0.4, "shortens the text given to about a third"),
    (0.75, "shortens the text given to about half"),
    (0.9, "shortens the text given a little"),
    (1.15, "keeps the length of the text given"),
    (2.0, "makes the text given longer"),
)


@dataclass(frozen=True, slots=True)
class Piece:
    """One item, split once: the output, its words in their own case and in lower case, and the input's
    words.
    """

    output: str
    cased: list[str]
    said: list[str]
    given: list[str]


def describe(items: Sequence[Interaction], sensitive: Sequence[str] = TRAITS) -> Iterator[tuple[str, str]]:
    """(facet, words) for case, ending, emoji, opener, length, ratio and terms, always all seven."""
    pieces = [_piece(item) for item in items]
    opening = opener(pieces)
    skip = len(opening)
    yield "case", _settled("writes", "letter case", CASES, [case(piece.cased, skip) for piece in pieces])
    yield "ending", _settled("ends", "ending", ENDINGS, [ending(piece.output) for piece in pieces])
    yield "emoji", _emoji([emoji(piece.output) for piece in pieces])
    yield "opener", _opener(() if named(" ".join(opening), sensitive) else opening, len(pieces))
    yield "length", _length(pieces)
    yield "ratio", _ratio(pieces, skip)
    yield "terms", _terms(pieces, opening, sensitive)


def _piece(item: Interaction) -> Piece:
    output = item.output.strip()
    cased = words(output)
    return Piece(output, cased, [word.lower() for word in cased], words(item.input.lower()))


def _settled(verb: str, noun: str, wording: dict[str, str], seen: Sequence[str]) -> str:
    """The majority's words; hedged when the majority is thin or the items are few."""
    best, count = _commonest(Counter(seen))
    if count < SOME * len(seen):
        return f"has no settled {noun}"
    if count < MOST * len(seen):
        return f"often {verb} {wording[best]}"
    return f"{'so far ' if len(seen) <= FEW else ''}{verb} {wording[best]}"


def _commonest(counts: Counter[str]) -> tuple[str, int]:
    """The most frequent; of equals the first in the order of code points, so that runs agree."""
    return min(counts.items(), key=lambda pair: (-pair[1], pair[0]))


def _emoji(found: Sequence[set[str]]) -> str:
    using = sum(map(bool, found))
    if using < max(1, RARE * len(found)):
        return "so far uses no emoji" if len(found) <= FEW else "uses no emoji"
    often = "uses" if using >= MOST * len(found) else "sometimes uses"
    best, count = _commonest(Counter(sign for signs in found for sign in signs))
    if count < MOST * using:
        return f"{often} various emoji"
    return f"{often} the {unicodedata.name(best, 'unnamed').lower()} emoji"


def opener(pieces: Sequence[Piece]) -> tuple[str, ...]:
    """The first one to three words that most outputs share and that their inputs lack; empty when there are
    none.
    """
    starts = [_start(piece) for piece in pieces]
    found: tuple[str, ...] = ()
    for size in (1, 2, 3):
        counts = Counter(start[:size] for start in starts if len(start) >= size and start[: size - 1] == found)
        best, count = min(counts.items(), key=lambda pair: (-pair[1], pair[0]), default=((), 0))
        if count < max(2, MOST * len(pieces)):
            break
        found = best
    return found


def _start(piece: Piece) -> tuple[str, ...]:
    """Up to three first words of the output, cut where one comes from the input."""
    start = piece.said[:3]
    own = next((i for i, word in enumerate(start) if word in piece.given), len(start))
    return tuple(start[:own])


def _opener(opening: tuple[str, ...], count: int) -> str:
    if not opening:
        return "no fixed opening words so far" if count <= FEW else "has no fixed opening words"
    return f"opens with the words {' '.join(opening)}"


def _length(pieces: Sequence[Piece]) -> str:
    middle = median(len(piece.said) for piece in pieces)
    return "is " + next((wording for most, wording in LENGTHS if middle <= most), "several paragraphs long")


def _ratio(pieces: Sequence[Piece], opening: int) -> str:
    """Words of the output past the opening ones, to words of the input past what all inputs begin with."""
    asked = _shared_start([piece.given for piece in pieces])
    ratio = median(max(0, len(p.said) - opening) / max(1, len(p.given) - asked) for p in pieces)
    return next((wording for most, wording in RATIOS if ratio <= most), "makes the text given far longer")


def _shared_start(texts: Sequence[list[str]]) -> int:
    """How many first words all texts share, as an instruction in front of each would be; 0 for few texts."""
    if len(texts) <= FEW:
        return 0
    first, last = min(texts), max(texts)  # these two differ earliest
    shortest = min(len(first), len(last))
    return next((i for i in range(shortest) if first[i] != last[i]), shortest)


def _terms(pieces: Sequence[Piece], opening: tuple[str, ...], sensitive: Sequence[str]) -> str:
    """Up to three words of the user's own: in many outputs whose inputs lack them, and rare in inputs."""
    own, given = Counter[str](), Counter[str]()
    for piece in pieces:
        source = set(piece.given)
        given.update(source)
        own.update({word for word in piece.said if len(word) > 4} - source)
    least = max(3, 0.3 * len(pieces))
    kept = [w for w, n in own.items() if n >= least and n > 2 * given[w] and w not in opening]
    ranked = sorted(kept, key=lambda word: (-own[word], word))
    best = list(islice((word for word in ranked if not named(word, sensitive)), 3))
    return f"favours the words {', '.join(best)}" if best else "has no favourite words"
