"""Profiles without a language model: what a history shows, counted and said in a few fixed wordings.

Works out from the history itself whether a task's outputs are labels, numbers or text. Sees inputs, outputs
and task names only. Levels are words, not raw numbers, so that thousands of users share a few hundred
texts. Source: design section 2 (P2P's summaries, section 2 of the paper, are written by a language model;
see `llm.py`).
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from tailorlm.data.records import Interaction
from tailorlm.profiles import choices, ratings, writing
from tailorlm.profiles.norms import Norms
from tailorlm.profiles.number import number
from tailorlm.profiles.offers import LONGEST_OPTION, listed
from tailorlm.profiles.profile import Profile, Statement
from tailorlm.profiles.sensitive import TRAITS, named

VERSION = "statistical-2"
AMOUNTS = ((0, "no history yet"), (2, "very little history"), (8, "a little history"), (20, "some history"))
MOSTLY = 0.8
LONGEST_LABEL = 40

Labels = Mapping[str | None, Sequence[str]]
TaskNorms = Mapping[str | None, Norms]


def summarise(
    user_id: str,
    history: Sequence[Interaction],
    task: str | None = None,
    labels: Labels | None = None,
    norms: TaskNorms | None = None,
    sensitive: Sequence[str] = TRAITS,
) -> Profile:
    """The profile of a user from `history` (all of it is used: cut it first).

    `task` keeps that task's items only. `labels` gives tasks' label lists where they are known, so that
    labels never seen have their statement; a task without one is judged by its items. `norms`
    (`norms.fit_norms` on training users, `fit_apart` for these users themselves) lets ratings be compared with what
    others give to the same words. Words and labels of the user's own that name one of the `sensitive` traits are not
    repeated (`sensitive.named`).
    Facets are `"{task}: {what}"`, or `"{what}"` for items that name no task.
    """
    items = [item for item in history if task is None or item.task == task]
    statements = [Statement("history", _amount(len(items)))]
    for name in sorted({item.task for item in items}, key=lambda name: name or ""):
        of_task = [item for item in items if item.task == name]
        known = (labels or {}).get(name, ()), (norms or {}).get(name)
        statements.extend(_of_task(name, of_task, *known, sensitive))
    return Profile(user_id, task, tuple(statements), f"{VERSION}+norms" if norms is not None else VERSION)


def _amount(count: int) -> str:
    return next((words for most, words in AMOUNTS if count <= most), "a long history")


def _of_task(
    task: str | None, items: Sequence[Interaction], labels: Sequence[str], norms: Norms | None, sensitive: Sequence[str]
) -> Iterator[Statement]:
    """The statements on one task's items. Labels that no task declares are users' text: none that names a trait."""
    facet = f"{task}: " if task else ""
    spoken = f"{task.replace('_', ' ')}: " if task else ""
    found = _known_kind(labels, norms) or kind(items)
    declared = {label.lower() for label in labels}
    for what, words in _describe(found, items, labels, norms, sensitive):
        own = found == "labels" and what not in declared
        if not (own and named(what, sensitive)):
            yield Statement(facet + what, spoken + words, own)


def _describe(
    found: str, items: Sequence[Interaction], labels: Sequence[str], norms: Norms | None, sensitive: Sequence[str]
) -> Iterator[tuple[str, str]]:
    match found:
        case "labels":
            return choices.describe(items, labels)
        case "ratings":
            return ratings.describe(items, norms)
        case _:
            return writing.describe(items, sensitive)


def _known_kind(labels: Sequence[str], norms: Norms | None) -> str | None:
    """What is known without the items: labels that are numbers are a scale."""
    if norms is not None or (labels and all(number(label) is not None for label in labels)):
        return "ratings"
    return "labels" if labels else None


def kind(items: Sequence[Interaction]) -> str:
    """What the outputs of one task are: "ratings", "labels" or "writing"."""
    pairs = sorted({(item.input.lower(), item.output.strip().lower()) for item in items})
    outputs = [output for _, output in pairs]
    if sum(number(text) is not None for text in outputs) >= MOSTLY * len(pairs):
        return "ratings"
    if sum(len(text) > LONGEST_LABEL or len(text.split()) > LONGEST_OPTION for text in outputs) * 5 > len(pairs):
        return "writing"
    from_lists = sum(bool(listed(given, output)) for given, output in pairs)
    if from_lists >= MOSTLY * len(pairs) or _repeat(outputs):
        return "labels"
    return "writing"


def _repeat(outputs: Sequence[str]) -> bool:
    """Whether most outputs are among few that come again: what a closed set of labels looks like."""
    again = sum(count for count in Counter(outputs).values() if count > 1)
    return len(outputs) >= 3 and again >= 0.6 * len(outputs)
