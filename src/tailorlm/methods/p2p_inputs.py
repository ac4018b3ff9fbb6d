"""What P2P's hypernetwork is told of a user: the summary, items retrieved for a query, or the whole history.

    known(asked)                   what is the same for all queries of a user (and task), for many of them
    asked(profiles, requests)      with the k items that BM25 finds for each query; as they are where k is 0

An item is told as its task shows it. Knows nothing of vectors or networks. Source: P2P section 3.1 (summary and k
retrieved items), table 5 (summary only, retrieved only, full history only); reference section 1.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from tailorlm.backbone.prompt import Prompt
from tailorlm.contexts.context import Request
from tailorlm.contexts.retrieval import top
from tailorlm.data.records import Example, Interaction
from tailorlm.methods.asking import Asked, profiles
from tailorlm.methods.source import Profiler
from tailorlm.profiles.profile import Profile, Statement
from tailorlm.tasks.task import Task

Told = Literal["profile+items", "profile", "items", "history"]
ITEM = "retrieved item {}"
NOTHING = "There are no items yet."
"""Said of a user of whom items are told and who has none: an encoder needs a text."""


def check(told: Told, k: int) -> None:
    """ValueError where `k` does not go with what is told."""
    if k < 0:
        raise ValueError(f"k is {k}: expected 0 (an adapter a user) or more (an adapter a query)")
    if k and told in ("profile", "history"):
        raise ValueError(f'k is {k} and source "{told}" retrieves nothing: set k = 0, or source = "profile+items"')
    if k == 0 and told == "items":
        raise ValueError('source "items" tells retrieved items only: set k to at least 1')


def item_facets(k: int) -> tuple[str, ...]:
    """The names of the k retrieved items' places, best first."""
    return tuple(ITEM.format(place) for place in range(1, k + 1))


@dataclass(frozen=True)
class Inputs:
    """What is told, as `told` and `k` say; summaries are made by `profile`, items worded by their tasks."""

    profile: Profiler
    task_of: Callable[[str | None], Task]
    told: Told
    k: int

    def known(self, asked: Sequence[Asked]) -> list[Profile]:
        """The part of each profile (N) that no query decides."""
        if self.told == "history":
            return [self.whole(one) for one in asked]
        if self.told == "items":
            return [Profile(one.user_id, one.task, (), "items") for one in asked]
        return profiles(self.profile, asked)

    def whole(self, asked: Asked) -> Profile:
        """All of a history, an item a statement."""
        said = self.items(asked.history, asked.task)
        return self.neutral_if_empty(Profile(asked.user_id, asked.task, said, "history"))

    def items(self, history: Sequence[Interaction], task: str | None) -> tuple[Statement, ...]:
        """The items of the task (None: all), a statement each, the newest first: an encoder that cuts keeps those."""
        kept = [item for item in history if task is None or item.task in (None, task)]
        texts = [self.shown(item) for item in reversed(kept)]
        return tuple(Statement(f"item {len(texts) - place}", text) for place, text in enumerate(texts))

    def shown(self, item: Interaction) -> str:
        """The item in its task's words."""
        return self.task_of(item.task).retrieval.shown(item)

    def request(self, query: Example, history: Sequence[Interaction]) -> Request:
        """A query with the history before it, as retrieval reads it."""
        return Request(query, Prompt(""), tuple(history), retrieval=self.task_of(query.task).retrieval)

    def asked(self, profiles: Sequence[Profile], requests: Sequence[Request]) -> list[Profile]:
        """Each profile (N) with the items found for its request (N): strictly before it, of its task, best first."""
        if self.k == 0:
            return list(profiles)
        found = top(requests, self.k)
        return [self.joined(profile, items) for profile, items in zip(profiles, found, strict=True)]

    def joined(self, profile: Profile, items: Sequence[Interaction]) -> Profile:
        """The profile with the items after its statements."""
        told = zip(item_facets(len(items)), items, strict=True)
        said = (*profile.statements, *(Statement(facet, self.shown(item)) for facet, item in told))
        return self.neutral_if_empty(replace(profile, statements=said, template=f"{profile.template}+{self.k} items"))

    def neutral_if_empty(self, profile: Profile) -> Profile:
        """A profile that says something."""
        if profile.statements:
            return profile
        facet = "item 1" if self.told == "history" else ITEM.format(1)
        return replace(profile, statements=(Statement(facet, NOTHING),))
