"""Which labels an input puts on offer: a list around the chosen one, known labels among the words, or all.

Knows nothing of what the labels mean. Labels are compared in lower case.
"""

import re
from collections.abc import Sequence
from functools import lru_cache

SEGMENT = re.compile(r"[\[\](){}<>\n.?!:\"]+")
SEPARATOR = re.compile(r"(?:,\s*(?:or|and)\b|[,;/|]|\b(?:or|and|versus|vs)\b)\s*")
LONGEST_OPTION = 4
LONGEST_LIST = 40


def listed(text: str, chosen: str) -> frozenset[str]:
    """The options of the delimited list in `text` that `chosen` is an element of; empty without one."""
    for segment in SEGMENT.split(text):
        if chosen in segment and chosen in (options := _options(segment)):
            return options
    return frozenset()


@lru_cache(maxsize=16)  # one list often stands in many inputs
def _options(segment: str) -> frozenset[str]:
    """The parts of a delimited list; empty where it is none."""
    *before, last = SEPARATOR.split(segment)
    parts = [*(part.rstrip() for part in before), last]  # a pattern that begins with white space takes twice as long
    options = [option for part in parts if (option := part.strip(" '*-"))]
    is_list = 2 <= len(options) <= LONGEST_LIST and all(len(option.split()) <= LONGEST_OPTION for option in options)
    return frozenset(options) if is_list else frozenset()


def finder(labels: Sequence[str]) -> re.Pattern[str]:
    """A pattern that finds any of the labels as whole words, longer labels first."""
    longest_first = sorted(labels, key=lambda label: (-len(label), label))
    return re.compile(r"(?<!\w)(?:" + "|".join(map(re.escape, longest_first)) + r")(?!\w)")


def named(text: str, find: re.Pattern[str], chosen: str) -> frozenset[str]:
    """The known labels among the words of `text`; empty unless `chosen` and another one are there."""
    options = frozenset(find.findall(text))
    return options if chosen in options and len(options) > 1 else frozenset()
