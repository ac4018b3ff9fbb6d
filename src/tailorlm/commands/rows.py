"""The answers of each row of an evaluation: floors, base, MT-LoRA, P2P with right and wrong profiles, OPPU.

Knows nothing of tables. Greedy decoding; a row answers every query, in the order of the queries.
"""

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import torch

from tailorlm.adapters.batch import Adapters
from tailorlm.assembly.datasets import task_of
from tailorlm.backbone.generate import generate
from tailorlm.backbone.inject import Injector
from tailorlm.backbone.prompt import Prompt
from tailorlm.contexts import profile_only
from tailorlm.contexts.context import Request
from tailorlm.data.records import Example, User
from tailorlm.evaluation.floors import common_answers, floor_copy, floor_majority, floor_user
from tailorlm.evaluation.scores import Answer, score_answers
from tailorlm.methods import oppu
from tailorlm.methods.source import Roster, shared_start
from tailorlm.profiles.profile import Profile
from tailorlm.tailor import Tailor


@dataclass(frozen=True)
class Asking:
    """Who is asked what, of which model; `notes` collects what profiles lost, by user."""

    tailor: Tailor
    users: Mapping[str, User]
    queries: Sequence[Example]
    batch: int
    users_at_once: int
    notes: dict[str, str]

    def tasks(self) -> list[str | None]:
        """The tasks of the queries, sorted."""
        return sorted({query.task for query in self.queries}, key=str)

    def people(self, task: str | None) -> list[User]:
        """The users who are asked something of `task`."""
        wanted = {query.user_id for query in self.queries if query.task == task}
        return [user for id, user in self.users.items() if id in wanted]


def floors(asking: Asking, train: Sequence[User]) -> dict[str, list[str]]:
    """Outputs of the trivial answers; the copy only where a task's answers are free text."""
    common = common_answers(train)
    found = {
        "floor_majority": floor_majority(asking.queries, common),
        "floor_user": floor_user(asking.queries, asking.users, common),
    }
    if any(task_of(task).labels is None for task in asking.tasks()):
        found["floor_copy"] = floor_copy(asking.queries)
    return found


def answered(
    asking: Asking, queries: Sequence[Example], adapters: Adapters | None, index: torch.Tensor,
    injector: Injector, prompts: Sequence[Prompt] | None = None,
) -> list[str]:  # fmt: skip
    """Outputs of queries (N) of one task, row i with `adapters[index[i]]`."""
    task = task_of(queries[0].task)
    asked = prompts or [task.prompt(query.input) for query in queries]
    backbone = asking.tailor.bench.backbone
    longest = asking.tailor.bench.max_tokens - task.max_new_tokens
    return generate(
        backbone, injector, asked, adapters, index, task.max_new_tokens, batch_size=asking.batch,
        max_prompt_tokens=longest if longest > 0 else None,
    )  # fmt: skip


def in_order(asking: Asking, parts: Iterator[tuple[Sequence[Example], Sequence[str]]]) -> list[str]:
    """The parts' outputs in the order of all queries."""
    found = {query.id: out for queries, outputs in parts for query, out in zip(queries, outputs, strict=True)}
    return [found[query.id] for query in asking.queries]


def shared(asking: Asking, adapters: Adapters | None) -> list[str]:
    """One adapter for everybody, or none: MT-LoRA, or the base."""
    source = asking.tailor.source
    injector = source.injector if adapters is None else Injector(source.bench.backbone.model, adapters.space)

    def parts() -> Iterator[tuple[Sequence[Example], Sequence[str]]]:
        for task in asking.tasks():
            queries = [query for query in asking.queries if query.task == task]
            index = torch.full((len(queries),), -1 if adapters is None else 0)
            yield queries, answered(asking, queries, adapters, index, injector)

    return in_order(asking, parts())


def told(asking: Asking) -> list[str]:
    """The base with the profile in its prompt."""

    def parts() -> Iterator[tuple[Sequence[Example], Sequence[str]]]:
        for task in asking.tasks():
            queries = [query for query in asking.queries if query.task == task]
            profiles = profiles_of(asking, task)
            wording = task_of(task)
            requests = [
                Request(query, wording.prompt(query.input), profile=profiles[query.user_id].text) for query in queries
            ]
            prompts = profile_only.build(requests, profile_only.Settings())
            index = torch.full((len(queries),), -1)
            yield queries, answered(asking, queries, None, index, asking.tailor.source.injector, prompts)

    return in_order(asking, parts())


def profiles_of(asking: Asking, task: str | None) -> dict[str, Profile]:
    """The profiles of the users who are asked something of `task`, by id."""
    people = asking.people(task)
    scope = task if asking.tailor.use.scope == "task" else None
    return {profile.user_id: profile for profile in asking.tailor.summarise(people, scope)}


def tailored(asking: Asking, swap_seed: int | None = None) -> list[str]:
    """P2P; with a seed every user has another user's profile."""

    def parts() -> Iterator[tuple[Sequence[Example], Sequence[str]]]:
        for task in asking.tasks():
            profiles = profiles_of(asking, task)
            if swap_seed is not None:
                profiles = deranged(profiles, swap_seed)
            ids = list(profiles)
            for start in range(0, len(ids), asking.users_at_once):
                yield _some(asking, task, {id: profiles[id] for id in ids[start : start + asking.users_at_once]})

    return in_order(asking, parts())


def _some(asking: Asking, task: str | None, profiles: dict[str, Profile]) -> tuple[Sequence[Example], Sequence[str]]:
    personal = asking.tailor.personalize(profile=list(profiles.values()))
    asking.notes.update(personal.notes)
    place = {id: number for number, id in enumerate(personal.user_ids)}
    queries = [query for query in asking.queries if query.task == task and query.user_id in place]
    index = torch.tensor([place[query.user_id] for query in queries])
    return queries, answered(asking, queries, personal.adapters, index, asking.tailor.source.injector)


def deranged(profiles: Mapping[str, Profile], seed: int) -> dict[str, Profile]:
    """Everybody with somebody else's profile: one seeded cycle through all users. ValueError for fewer than two."""
    if len(profiles) < 2:
        raise ValueError("shuffled profiles need at least two users of a task")
    order = sorted(profiles)
    random.Random(f"{seed}/derangement").shuffle(order)
    after = dict(zip(order, order[1:] + order[:1], strict=True))
    return {id: replace(profiles[after[id]], user_id=id) for id in profiles}


def trained(asking: Asking, settings: oppu.Settings, task_lora: Adapters) -> list[str]:
    """OPPU over MT-LoRA: an adapter trained for each user."""
    source = oppu.Source(asking.tailor.bench, settings, shared_start(task_lora))
    roster: Roster = source.enrol(list(asking.users.values()))

    def parts() -> Iterator[tuple[Sequence[Example], Sequence[str]]]:
        for task in asking.tasks():
            queries = [query for query in asking.queries if query.task == task]
            index = torch.tensor(roster.index(queries))
            yield queries, answered(asking, queries, roster.adapters, index, source.injector)

    return in_order(asking, parts())


def scored(asking: Asking, outputs: Sequence[str]) -> list[Answer]:
    """The outputs (N) with the score of their task."""
    scores: dict[str, float] = {}
    rows = list(zip(asking.queries, outputs, strict=True))
    for task in asking.tasks():
        own = [(query, out) for query, out in rows if query.task == task]
        marks = score_answers(task, [out for _, out in own], [query.target or "" for query, _ in own])
        scores.update({query.id: mark for (query, _), mark in zip(own, marks, strict=True)})
    return [
        Answer(query.id, query.user_id, name_of(query.task), out, query.target or "", scores[query.id])
        for query, out in rows
    ]


def name_of(task: str | None) -> str:
    """What a task is called in results."""
    return task_of(task).name
