"""Which labels an input puts on offer: a list around the chosen one, known labels among the words, or all.

Knows nothing of what the labels mean. Labels are compared in lower case.
"""

import re
from collections.abc import Sequence

SEGMENT = re.compile(r"[\[\](){}<>\n.?!:\"]+")
SEPARATOR = re.compile(r"\s*(?:,\s*(?:or|and)\b|[,;/|]|\bor\b|\band\b|\bversus\b|\bvs\b)\s*")
LONGEST_OPTION = 4
LONGEST_LIST = 40


def listed(text: str, chosen: str) -> frozenset[str]:
    """The options of the delimited list in `text` that `chosen` is an element of; empty without one."""
    for segment in SEGMENT.split(text):
        if chosen in segment:
            parts = [part.strip(" '*-") for part in SEPARATOR.split(segment)]
            options = [part for part in parts if part]
            if _is_list(options, chosen):
                return frozenset(options)
    return frozenset()


def _is_list(options: Sequence[str], chosen: str) -> bool:
    return (
        2 <= len(options) <= LONGEST_LIST
        and chosen in options
        and all(len(option.split()) <= LONGEST_OPTION for option in options)
    )


def finder(labels: Sequence[str]) -> re.Pattern[str]:
    """A pattern that finds any of the labels as whole words, longer labels first."""
    longest_first = sorted(labels, key=lambda label: (-len(label), label))
    return re.compile(r"(?<!\w)(?:" + "|".join(map(re.escape, longest_first)) + r")(?!\w)")


def named(text: str, find: re.Pattern[str], chosen: str) -> frozenset[str]:
    """The known labels among the words of `text`; empty unless `chosen` and another one are there."""
    options = frozenset(find.findall(text))
    return options if chosen in options and len(options) > 1 else frozenset()
