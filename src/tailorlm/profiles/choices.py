"""Statements on a task with closed labels: how each label ranks for the user, and how often it is picked.

Knows nothing of other users. The ranking is that of `preference.py`; what was on offer is that of `offers.py`.
"""

from collections.abc import Iterator, Sequence

from tailorlm.data.records import Interaction
from tailorlm.profiles.offers import finder, listed, named
from tailorlm.profiles.preference import Choice, positions, scores

ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth")
BANDS = ("near the top", "in the upper half", "in the middle", "in the lower half", "near the bottom")
RATES = ((0.8, "nearly always picked"), (0.6, "usually picked"), (0.4, "picked about half the time"))


def choices(items: Sequence[Interaction], labels: Sequence[str] = ()) -> list[Choice]:
    """(chosen, offered) of each item, in lower case. `labels` are known beforehand; others are learnt on the way."""
    chosen = [item.output.strip().lower() for item in items]
    texts = [item.input.lower() for item in items]
    lists = [listed(text, label) for text, label in zip(texts, chosen, strict=True)]
    known = sorted(set(chosen).union(*lists, (label.lower() for label in labels)))
    find, everything = finder(known), frozenset(known)
    return [
        (label, options or named(text, find, label) or everything)
        for text, label, options in zip(texts, chosen, lists, strict=True)
    ]


def describe(items: Sequence[Interaction], labels: Sequence[str] = ()) -> Iterator[tuple[str, str]]:
    """(label, words) for every label that was on offer or is known, in the order of the alphabet."""
    made = choices(items, labels)
    known = sorted(set[str]().union(*(offered for _, offered in made), (label.lower() for label in labels)))
    place = positions(scores(made), known)
    for label in known:
        offered = sum(label in options for _, options in made)
        picked = sum(label == chosen for chosen, _ in made)
        yield label, _words(label, place[label], len(known), picked, offered)


def _words(label: str, place: int, of: int, picked: int, offered: int) -> str:
    if not offered:
        return f"{label} has not been on offer yet"
    return f"{label} ranks {_rank(place, of)}, {_rate(picked, offered)}"


def _rank(place: int, of: int) -> str:
    if of <= len(ORDINALS):
        return ORDINALS[place - 1]
    return BANDS[(place - 1) * len(BANDS) // of]


def _rate(picked: int, offered: int) -> str:
    """The rate in words; one offer alone is evidence of one offer."""
    if offered == 1:
        return "picked the one time it was on offer" if picked else "passed over the one time it was on offer"
    for least, words in RATES:
        if picked >= least * offered:
            return f"{words} when on offer"
    return "seldom picked when on offer" if picked else "never picked when on offer"
