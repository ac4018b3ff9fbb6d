"""What an adapter source is: a file with `Settings`, `NEEDS`, `form(settings, start)` (form.py: what it makes and which
starts it takes, before anything is loaded) and `Source(bench, settings, start)`, found by its name.

    prepare(users, directory, resume, held)  once, amortised over users; the progress of training is in `directory`;
                                           `held` are further training users, evaluated and never trained on
    enrol(users, tasks) -> Roster          batched over users; may train
    adapters(requests, roster)             (Adapters | None, index (N,)): row i uses adapters[index[i]], -1 the base

`start` is what the source's adapters begin at, made by another source (PRISP's anchor, OPPU's task LoRA, the MT-LoRA
under P2P): sources never import each other, whoever composes them hands one to the other. A source whose one adapter
is everybody's says so in `of_all(tasks)`.

Knows nothing of other methods, evaluation or serving. Source: design section 2.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol, TypeVar, runtime_checkable

from torch import Tensor

from tailorlm.adapters.batch import Adapters
from tailorlm.adapters.space import AdapterSpace
from tailorlm.backbone.inject import Injector
from tailorlm.backbone.model import Backbone
from tailorlm.data.records import Example, Interaction, User
from tailorlm.methods.gradient_norms import GradientNorms
from tailorlm.methods.owners import Owner
from tailorlm.methods.tuned import Tuned
from tailorlm.profiles.encode import Encoder
from tailorlm.profiles.profile import Profile
from tailorlm.tasks.task import Task
from tailorlm.training.examples import Pools

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Needs:
    """What a method must be given; reports print it (PRISP's table 2).

    `task_data`: items of the task that are not the user's own. `other_users`: parameters that are another user's own (a
    sharer's LoRA); one LoRA or network of everybody's task data is none. `user_training`: steps for each user.
    """

    task_data: bool
    other_users: bool
    user_training: bool


Profiler = Callable[[str, Sequence[Interaction], str | None], Profile]
"""(user id, history, task or None for all) -> what the history shows."""


@dataclass(frozen=True)
class Start:
    """What a source's adapters begin at, adapters of `space` that another source makes.

    `of`: owners (U) -> those that they begin at, in their order: U of them, or one (U = 1) that these owners share.
    An owner with a task begins at the adapter for that task. `shared`: the one for everybody, None where it depends
    on the owner. `task`: the one that it was made for; None where it is of no task or of all.
    """

    space: AdapterSpace
    of: Callable[[Sequence[Owner]], Adapters]
    shared: Adapters | None = None
    task: str | None = None

    def one(self) -> Adapters:
        """The one adapter for everybody. ValueError where it depends on the owner."""
        if self.shared is None:
            raise ValueError(
                "this source begins at one adapter for everybody; its start has one for each user or task: "
                "evaluate one task at a time, or choose a start such as mt_lora"
            )
        return self.shared


def shared_start(adapters: Adapters, task: str | None = None) -> Start:
    """The one adapter (MT-LoRA, or that of a `task`) for everybody. ValueError for more than one."""
    if len(adapters) != 1:
        raise ValueError(f"a shared start is one adapter, got {len(adapters)}")
    return Start(adapters.space, lambda owners: adapters, adapters, task)


@dataclass(frozen=True)
class Bench:
    """What all methods share: the frozen model, the tasks' wording, and how profiles are made and encoded.

    `pools`: training users' items by task, where tasks whose pairs need negatives take them from.
    """

    backbone: Backbone
    task_of: Callable[[str | None], Task]
    profile: Profiler
    encoder: Encoder | None = None
    max_tokens: int = 1024
    pools: Pools = field(default_factory=dict)

    def beside(self, virtual_tokens: int) -> "Bench":
        """The bench for adapters that take so many of the model's positions before a text."""
        room = self.backbone.max_tokens - virtual_tokens
        return self if self.max_tokens <= room else replace(self, max_tokens=room)


@dataclass(frozen=True)
class Roster:
    """What was made of the enrolled users: their adapters (None: the base model) and where each one's is.

    `place` is by (user id, task), or by (user id, None) where one adapter serves all of a user's tasks. `tuned`: what
    methods that train a user keep, to go on when new items come. `profiles`, by place, and `histories`, by user id:
    what methods that make an adapter a query keep instead of adapters. `shared`: no adapter is a user's own.
    `gradients`: their norms in training, where the method was asked for them.
    """

    adapters: Adapters | None
    place: dict[tuple[str, str | None], int]
    profiles: Mapping[tuple[str, str | None], Profile] = field(default_factory=dict)
    histories: Mapping[str, Sequence[Interaction]] = field(default_factory=dict)
    tuned: Tuned | None = None
    shared: bool = False
    gradients: GradientNorms | None = None

    def index(self, requests: Sequence[Example]) -> list[int]:
        """(N,) the place of each request's adapter; ValueError names a user who is not enrolled."""
        if self.profiles:
            raise ValueError("these users have an adapter a query: ask the source's `adapters` for them")
        return [_of(self.place, request) for request in requests]

    def profile(self, request: Example) -> Profile:
        """What is known of the request's user; ValueError names a user who is not enrolled."""
        return _of(self.profiles, request)


def _of(kept: Mapping[tuple[str, str | None], T], request: Example) -> T:
    """What is kept of a request's user for all tasks, or for the request's."""
    for task in (None, request.task):
        if (request.user_id, task) in kept:
            return kept[request.user_id, task]
    raise ValueError(f"user {request.user_id!r} has no adapter for task {request.task!r}: enrol the user first")


class AdapterSource(Protocol):
    """A method at work. `injector` puts its adapters into the bench's model; None where it has none."""

    injector: Injector | None

    def prepare(
        self, users: Sequence[User], directory: Path, resume: bool = False, held: Sequence[User] = ()
    ) -> None: ...
    def enrol(self, users: Sequence[User], tasks: Sequence[str] = ()) -> Roster: ...
    def adapters(self, requests: Sequence[Example], roster: Roster) -> tuple[Adapters | None, Tensor]: ...


@runtime_checkable
class Training(Protocol):
    """A source that trains each user, and whose enrolment, stopped, goes on exactly in the same `directory`.

    `goes_on`: whether these settings allow that.
    """

    @property
    def goes_on(self) -> bool: ...
    def enrol(self, users: Sequence[User], tasks: Sequence[str] = (), *, directory: Path | None = None) -> Roster: ...
