"""Statements on a task with closed labels: the user's own ranking, or, when all are always on offer, shares.

Knows nothing of other users. What was on offer is found by `offers.py`; the ranking is the exact posterior of
`ranking.py` for few labels, the scores of `preference.py` for many. A rank is said without its rate: the
two in one text serve a linear reader of MiniLM vectors worse (docs/profiles.md).
"""

from collections.abc import Iterator, Sequence

from tailorlm.data.records import Interaction
from tailorlm.profiles.offers import finder, listed, named
from tailorlm.profiles.preference import Choice, positions, scores
from tailorlm.profiles.ranking import MOST_LABELS, expected_places

ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth")
BANDS = ("near the top", "in the upper half", "in the middle", "in the lower half", "near the bottom")
SHARES = (
    (0.8, "nearly always picked"),
    (0.6, "usually picked"),
    (0.4, "picked about half the time"),
    (0.25, "picked often"),
    (0.1, "picked now and then"),
)
FEW = 2


def choices(items: Sequence[Interaction], labels: Sequence[str] = ()) -> list[Choice]:
    """(chosen, offered) of each item, in lower case. `labels` are known beforehand; items may show more."""
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
    narrow = sum(len(offered) < len(known) or len(known) == 2 for _, offered in made)
    return _ranks(made, known) if 2 * narrow > len(made) else _shares(made, known)


def _ranks(made: Sequence[Choice], known: Sequence[str]) -> Iterator[tuple[str, str]]:
    offered = set[str]().union(*(options for _, options in made))
    place = positions(_merit(made, known), known)
    for label in known:
        rank = _rank(place[label], len(known))
        yield label, f"{label} ranks {rank}" if label in offered else f"{label} has not been on offer yet"


def _merit(made: Sequence[Choice], known: Sequence[str]) -> dict[str, float]:
    """How much each label is liked, more is better: exact for few labels."""
    if len(known) > MOST_LABELS:
        return scores(made)
    return {label: -place for label, place in expected_places(made, known).items()}


def _rank(place: int, of: int) -> str:
    return ORDINALS[place - 1] if of <= len(ORDINALS) else BANDS[(place - 1) * len(BANDS) // of]


def _shares(made: Sequence[Choice], known: Sequence[str]) -> Iterator[tuple[str, str]]:
    hedge = "so far " if len(made) <= FEW else ""
    for label in known:
        picked = sum(label == chosen for chosen, _ in made)
        offered = sum(label in options for _, options in made)
        yield label, f"{label} is {hedge}{_share(picked, offered)}"


def _share(picked: int, offered: int) -> str:
    if not picked:
        return "never picked" if offered else "not known yet"
    return next((words for least, words in SHARES if picked >= least * offered), "seldom picked")
