"""Rows of users' own items: what methods that train a user begin with.

An item is written plain, or twice: plain, and with a context made of what the user did BEFORE it. Knows nothing of
what is trained. Source: PRISP appendix B (newest items; each twice, plain and with the nearest item and the profile
text); reference sections 2 and 3; design section 2 (nothing at or after the query).
"""

import hashlib
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from types import ModuleType
from typing import Any, Literal

from tailorlm import plugins, recipe
from tailorlm.backbone.prompt import Prompt, encode_row, plain
from tailorlm.backbone.rows import Row
from tailorlm.contexts.context import Request, shows_profiles, within
from tailorlm.data.history import strictly_before
from tailorlm.data.records import Example, Interaction, User
from tailorlm.methods.asking import Asked, profiles
from tailorlm.methods.form import BOTH, HISTORY, OfUser
from tailorlm.methods.owners import Owner
from tailorlm.methods.source import Bench
from tailorlm.tasks.task import Pair, Pool


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemSettings:
    """Which of a user's items are trained on, and how they are written.

    `items`: the newest so many that make a pair; 0 all. `asked`: answered queries only ([data] queries), no item of the
    history beside them: a benchmark's task data. `context`: "none" writes each item plain, another context (with
    `options`, its settings) twice: plain and with the context. `scope`: one adapter a user from all items, or one for
    each task from the items of that task. `profiles`: a context shows the profile of the item's "task" or of "all"
    tasks; None is the "task", and in a recipe what `eval.profiles` says.
    """

    items: int = 0
    asked: bool = False
    context: str = "none"
    options: Mapping[str, Any] = field(default_factory=dict)
    scope: Literal["all", "task"] = "all"
    profiles: Literal["task", "all"] | None = None

    def __post_init__(self) -> None:
        """ValueError for less than no item; with the nearest valid names for an unknown context or option."""
        if self.items < 0:
            raise ValueError(f"items is {self.items}; valid is at least 0")
        self.filled()

    def module(self) -> ModuleType:
        """The context's file."""
        return plugins.find("contexts", self.context)

    def filled(self) -> Any:
        """The options as the context's `Settings`."""
        return recipe.settings(self.module().Settings, self.options, f"options of {self.context}")

    @property
    def reads(self) -> frozenset[OfUser]:
        """What of a user rows are made of."""
        return BOTH if shows_profiles(self.module().build, self.filled()) else HISTORY


@dataclass(frozen=True)
class OwnRows:
    """N rows; row i is of the owner number `owner[i]` and of task `task[i]`.

    `seen[u]`: the keys of all items that owner u had, trained on or left out; whatever else comes later is new.
    """

    rows: list[Row]
    owner: list[int]
    task: list[str]
    seen: tuple[frozenset[str], ...]

    def numbers(self) -> list[list[int]]:
        """Each owner's rows."""
        own: list[list[int]] = [[] for _ in self.seen]
        for number, owner in enumerate(self.owner):
            own[owner].append(number)
        return own


@dataclass(frozen=True, slots=True)
class _Chosen:
    """An item of an owner that makes a pair, by its place in the history."""

    owner: int
    place: int
    pair: Pair


def own_rows(
    bench: Bench,
    people: Sequence[Owner],
    settings: ItemSettings,
    seed: int,
    seen: Sequence[Collection[str]] = (),
) -> OwnRows:
    """The rows of each owner's newest items that are not in its `seen`, oldest first; an id is user@place.

    A row depends on its owner and the seed alone. ValueError as a task's `pair` raises it.
    """
    before = seen or [frozenset[str]()] * len(people)
    chosen = [
        one
        for number, owner in enumerate(people)
        for one in _newest(bench, number, owner, settings, seed, before[number])
    ]
    rows = [_row(bench, people, one, _prompt(bench, people, one), "") for one in chosen]
    task = [bench.task_of(_item(people, one).task).name for one in chosen]
    owner = [one.owner for one in chosen]
    if settings.context != "none":
        prompts = _in_context(bench, people, chosen, settings)
        rows += [_row(bench, people, *pair, "+") for pair in zip(chosen, prompts, strict=True)]
        task, owner = task * 2, owner * 2
    return OwnRows(rows, owner, task, tuple(frozenset(item_keys(one.user.history)) for one in people))


def _newest(
    bench: Bench, number: int, owner: Owner, settings: ItemSettings, seed: int, seen: Collection[str]
) -> list[_Chosen]:
    """From the newest backwards, until there are enough; then oldest first."""
    found: list[_Chosen] = []
    keys, pools = item_keys(owner.user.history), _Pools(bench, owner.user)
    for place in reversed(range(len(keys))):
        item = owner.user.history[place]
        if settings.items and len(found) == settings.items:
            break
        if keys[place] in seen or not _wanted(bench, owner, item, settings):
            continue
        dice = Random(f"{seed}/{owner.user.id}@{place}")
        first = place // 2 if settings.context != "none" and item.task in bench.pools else 0
        pool = pools.of(item.task, first, place)
        pair = bench.task_of(item.task).pair(item, pool, dice)
        if pair is not None:
            found.append(_Chosen(number, place, pair))
    return found[::-1]


def _wanted(bench: Bench, owner: Owner, item: Interaction, settings: ItemSettings) -> bool:
    """Whether the item is of the owner's task, and a query where only queries are trained on."""
    own = owner.task is None or bench.task_of(item.task).name == owner.task
    return own and (item.asked or not settings.asked)


def item_keys(history: Sequence[Interaction]) -> list[str]:
    """A digest of each item, by which it is known again wherever it stands; an item said twice has two."""
    times: Counter[str] = Counter()
    keys = []
    for item in history:
        content = repr((item.task, item.input, item.output, item.time))
        times[content] += 1
        keys.append(hashlib.blake2b(f"{times[content]} {content}".encode(), digest_size=12).hexdigest())
    return keys


class _Pools:
    """A user's items before one, and other training users' by task, without what the user did too."""

    def __init__(self, bench: Bench, user: User) -> None:
        self.bench, self.history = bench, user.history
        self.own = {(item.input, item.output) for item in user.history}
        self.found: dict[str | None, list[Interaction]] = {}

    def of(self, task: str | None, first: int, place: int) -> Pool:
        """What the pair of the item at a place may be made of: of the user's own, the items from `first` on."""
        if task not in self.found:
            items = self.bench.pools.get(task, ())
            self.found[task] = [item for item in items if (item.input, item.output) not in self.own]
        return Pool(self.history[first:place], self.found[task])


def _item(people: Sequence[Owner], one: _Chosen) -> Interaction:
    return people[one.owner].user.history[one.place]


def _prompt(bench: Bench, people: Sequence[Owner], one: _Chosen) -> Prompt:
    return bench.task_of(_item(people, one).task).prompt(one.pair[0])


def _row(bench: Bench, people: Sequence[Owner], one: _Chosen, prompt: Prompt, mark: str) -> Row:
    name = f"{people[one.owner].user.id}@{one.place}{mark}"
    return encode_row(bench.backbone.tokenizer, prompt, one.pair[1], bench.max_tokens, name)


def _in_context(
    bench: Bench, people: Sequence[Owner], chosen: Sequence[_Chosen], settings: ItemSettings
) -> list[Prompt]:
    """The items' prompts with the context of what came before each."""
    build = settings.module().build
    pasts = [_before(bench, people, one) for one in chosen]
    told = zip(pasts, _profiles(bench, people, chosen, pasts, settings), strict=True)
    requests = [_request(bench, people, one, *shown) for one, shown in zip(chosen, told, strict=True)]
    prompts: list[Prompt] = build(requests, settings.filled())
    return prompts


def _before(bench: Bench, people: Sequence[Owner], one: _Chosen) -> tuple[Interaction, ...]:
    """What an item's context may be made of."""
    item = _item(people, one)
    # Pairs with a pool take one of the newer half of what is before (_newest): what is shown must not hold the answer.
    # A query of the data is its own pair. Who did two things at one time is told of neither before the other.
    shown = one.place // 2 if item.task in bench.pools and not item.asked else one.place
    return strictly_before(people[one.owner].user.history[:shown], item.time)


def _profiles(
    bench: Bench, people: Sequence[Owner], chosen: Sequence[_Chosen], pasts: Sequence[tuple[Interaction, ...]],
    settings: ItemSettings,
) -> list[str]:  # fmt: skip
    """The profile text before each item, as evaluation shows it before a query; "" before the first."""
    ids = [people[one.owner].user.id for one in chosen]
    tasks = [None if settings.profiles == "all" else _item(people, one).task for one in chosen]
    asked = [Asked(*one) for one in zip(ids, pasts, tasks, strict=True) if one[1]]
    texts = iter([one.text for one in profiles(bench.profile, asked)])
    return [next(texts) if past else "" for past in pasts]


def _request(
    bench: Bench, people: Sequence[Owner], one: _Chosen, past: tuple[Interaction, ...], profile: str
) -> Request:
    owner, item = people[one.owner], _item(people, one)
    task = bench.task_of(item.task)
    example = Example(f"{owner.user.id}@{one.place}", owner.user.id, item.task, *one.pair, item.time)
    tokenizer = bench.backbone.tokenizer
    words = tokenizer(plain(tokenizer, one.pair[1]), add_special_tokens=False, verbose=False)["input_ids"]
    return Request(
        example,
        task.prompt(one.pair[0]),
        history=past,
        profile=profile,
        retrieval=task.retrieval,
        fits=within(tokenizer, bench.max_tokens - len(words) - 1),  # and the end of the turn
    )
