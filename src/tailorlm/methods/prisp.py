"""PRISP: an anchor adapter, then per user B and a small bridge C between B and A, with A frozen: delta W = B C A.

The anchor comes from whoever composes sources (Text-to-LoRA, a user's own P2P adapter, a task LoRA, a sharer), or is
made here: fresh, PiSSA, LoRA-GA. Knows nothing of how another source makes adapters. Source: PRISP sections 3 and 4,
appendix B; reference section 2.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from tailorlm.adapters.batch import Adapters
from tailorlm.adapters.lora import LoraSpace
from tailorlm.backbone.inject import Injector
from tailorlm.data.records import Example, User
from tailorlm.methods import bridge, made_for
from tailorlm.methods.form import NOTHING, Form, lora, one_start, same_scale, same_start
from tailorlm.methods.further import TaskSettings, trained_further
from tailorlm.methods.gradient_norms import Looking
from tailorlm.methods.lora import LoraSettings
from tailorlm.methods.made_for import said
from tailorlm.methods.own_items import ItemSettings, OwnRows
from tailorlm.methods.own_plan import STAGE_2_BATCHES, STAGE_2_RATES, Pace
from tailorlm.methods.owners import Owner, owners
from tailorlm.methods.source import Bench, Needs, Roster, Start, shared_start
from tailorlm.methods.starts import lora_ga, pissa
from tailorlm.methods.task_names import task_names
from tailorlm.methods.tuned import Tuned
from tailorlm.methods.tuning import Raw, Tuning
from tailorlm.training.many import ManySettings, Observe

NEEDS = Needs(task_data=False, other_users=False, user_training=True)
"""As in the paper's few-shot setting: no task data; `needs` says what other settings need."""

Begin = Literal["anchor", "fresh", "pissa", "lora_ga"]


def _few_shot() -> ItemSettings:
    return ItemSettings(items=10, context="rag_pag")  # one nearest item, unless the recipe says otherwise


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Defaults are the paper's few-shot setting; `lora` must be that of the anchor (its scale acts in training).

    `train_parts`: "B+C" (PRISP), "B" (no bridge), "C" (bridge only), "full" (A and B, no bridge). `begin`: at the
    anchor that is given, or at one made here. `task`: further training of the anchor on task data. `rates` and
    `batches` are by task name; other tasks have `train.learning_rate` and `batch`. `dropout` acts on LoRA's
    inputs. `gradient_norms`: the roster has those of B by step and layer.
    """

    lora: LoraSettings = field(default_factory=LoraSettings)
    begin: Begin = "anchor"
    train_parts: bridge.Train = "B+C"
    items: ItemSettings = field(default_factory=_few_shot)
    epochs: int = 1
    batch: int = 16
    batches: Mapping[str, int] = field(default_factory=lambda: dict(STAGE_2_BATCHES))
    rates: Mapping[str, float] = field(default_factory=lambda: dict(STAGE_2_RATES))
    dropout: float = 0.05
    seed: int = 0
    users_at_once: int = 64
    gradient_norms: bool = False
    train: ManySettings = field(default_factory=ManySettings)
    task: TaskSettings = field(default_factory=TaskSettings)

    def __post_init__(self) -> None:
        """ValueError for task data with a start that is cut out of the base, and for nobody at once."""
        if self.task.data != 0 and self.cut_out:
            raise ValueError(f'begin "{self.begin}" has no anchor to train on task data: set task.data = 0')
        if self.gradient_norms and self.train_parts == "C":
            raise ValueError('gradient_norms are those of B, and train_parts "C" does not train it: expected another')
        if self.users_at_once < 1 or not 0 <= self.dropout < 1:
            raise ValueError(
                f"users_at_once is {self.users_at_once} (valid: at least 1), dropout {self.dropout} (in [0, 1))"
            )
        _ = self.pace

    @property
    def pace(self) -> Pace:
        """How often and in what steps a user sees the own rows."""
        return Pace(
            epochs=self.epochs, batch=self.batch, rate=self.train.learning_rate, batches=self.batches,
            rates=self.rates, seed=self.seed,
        )  # fmt: skip

    @property
    def cut_out(self) -> bool:
        """Whether the anchor is a part of the base's own weights."""
        return self.begin in ("pissa", "lora_ga")


def needs(settings: Settings) -> Needs:
    """What these settings need; other users' parameters only where the anchor that is given was made of them."""
    return Needs(task_data=settings.task.data != 0, other_users=False, user_training=True)


def form(settings: Settings, start: Form | None) -> Form:
    """A LoRA of the anchor's form. ValueError without a start for an anchor, with one elsewhere, for another form."""
    if start is None and settings.begin == "anchor":
        raise ValueError(
            'begin is "anchor", and there is no start: expected start = a row or method whose adapters are the '
            'anchors, or begin = "fresh", "pissa" or "lora_ga"'
        )
    if start is not None and settings.begin != "anchor":
        raise ValueError(f'begin is "{settings.begin}", its own anchor: leave start out, or set begin = "anchor"')
    if start is not None:
        same_start(start, settings.lora)
        same_scale(start, settings.lora)
    if start is not None and settings.task.data != 0:
        one_start(start)
    targets, rank = lora(settings.lora)
    twice = settings.cut_out and settings.train_parts == "full"
    reads = settings.items.reads | (NOTHING if start is None else start.reads)
    scaling = None if twice else settings.lora.scaling
    return Form(kind="lora", targets=targets, rank=rank * (2 if twice else 1), reads=reads, scaling=scaling)


class Source:
    """`space` is where the exported adapters live: (A, B C) of the anchor's rank."""

    def __init__(self, bench: Bench, settings: Settings, start: Start | None = None) -> None:
        """`start` gives the anchors: one for all, or one for each task, user, or user and task.

        ValueError without one where `begin` is "anchor", and with one elsewhere.
        """
        if (start is None) == (settings.begin == "anchor"):
            got = "none was given" if start is None else "one was given"
            raise ValueError(
                f'prisp with begin "{settings.begin}": {got}; begin "anchor" goes with a start, all others make theirs'
            )
        self.bench, self.settings = bench, settings
        self.anchor_space: LoraSpace = settings.lora.space(bench.backbone)
        self.space = bridge.space(self.anchor_space, settings.train_parts, settings.cut_out)
        self.injector = Injector(bench.backbone.model, self.space)
        self.tasks: frozenset[str] = frozenset()
        self.start = self._made() if start is None else start

    def prepare(self, users: Sequence[User], directory: Path, resume: bool = False, held: Sequence[User] = ()) -> None:
        """Train the anchor further on `users`' items (a task's anchor: those of the task), where the settings say so.

        `held` users decide nothing.
        """
        self.tasks = task_names(self.bench, users if self.settings.pace.unfiled else ())
        if self.settings.task.data != 0:
            anchor = self._fitting(self.start.one())
            now = trained_further(
                self.bench, anchor, users, self.settings.task, self.settings.lora.scaling, self.settings.seed,
                directory, resume, self.start.task,
            )  # fmt: skip
            self.start = shared_start(now, self.start.task)

    @property
    def goes_on(self) -> bool:
        """Whether a stopped enrolment goes on; gradients' norms of the steps before would be missing."""
        return not self.settings.gradient_norms

    def enrol(
        self, users: Sequence[User], tasks: Sequence[str] = (), *, directory: Path | None = None,
        observe: Observe | None = None,
    ) -> Roster:  # fmt: skip
        """Tune the users' adapters, from the anchors, on the newest of their own items.

        ValueError for rates or batches of a task that there is not, by name.
        With a `directory` a run that was stopped goes on exactly (not with gradient_norms); `observe` sees each step's
        gradients.
        """
        people = owners(users, tasks, self.settings.items.scope)
        if not self.settings.gradient_norms:
            return self.tuning(tasks).enrol(people, directory, observe)
        looking = Looking(self.anchor_space, observe)
        return replace(self.tuning(tasks).enrol(people, None, looking), gradients=looking.found())

    def more(
        self, roster: Roster, users: Sequence[User], tasks: Sequence[str] = (), observe: Observe | None = None
    ) -> Roster:
        """Go on with those of `users` who have new items, on those; everybody else keeps every bit."""
        return self.tuning(tasks).more(roster, owners(users, tasks, self.settings.items.scope), observe)

    def restored(self, users: Sequence[User], tuned: Tuned, tasks: Sequence[str] = ()) -> Roster:
        """The roster of what was kept of `users`, each one's own, whatever their order.

        ValueError for other users or tasks, and where it was kept with another base, adapter or start.
        """
        return self.tuning().roster(owners(users, tasks, self.settings.items.scope), tuned)

    def adapters(self, requests: Sequence[Example], roster: Roster) -> tuple[Adapters | None, Tensor]:
        """Each request's own user's adapter (N)."""
        return roster.adapters, torch.tensor(roster.index(requests))

    def tuning(self, tasks: Sequence[str] = ()) -> Tuning:
        """How users are trained, who are asked `tasks`."""
        settings = self.settings
        effective = partial(bridge.effective, self.space, settings.lora.scaling)
        return Tuning(
            self.bench, self.injector, self._begin, effective, settings.items, settings.pace, settings.train,
            self._about(), settings.users_at_once, settings.dropout, self.tasks.union(tasks),
        )  # fmt: skip

    def _about(self) -> dict[str, str]:
        """What users' parameters mean anything with; a start that is made here follows from the others."""
        settings, anchor = self.settings, self.settings.begin == "anchor"
        return {
            "base": made_for.base(self.bench.backbone), "train_parts": settings.train_parts, "begin": settings.begin,
            "adapter": said(self.anchor_space, settings.lora.scaling),
            "start": made_for.beneath(self.start if anchor else None),
        }  # fmt: skip

    def _begin(self, people: Sequence[Owner], rows: OwnRows) -> tuple[Raw, Raw]:
        settings = self.settings
        anchor = self._fitting(self.start.of(people)) if settings.begin != "lora_ga" else self._aligned(rows)
        return bridge.parts(anchor, len(people), settings.train_parts, settings.lora.scaling, settings.cut_out)

    def _fitting(self, anchor: Adapters) -> Adapters:
        """The anchors. ValueError where they have other places or another rank than the settings'."""
        if anchor.space != self.anchor_space:
            raise ValueError(f"the anchor is {said(anchor.space)}; the settings' lora is {said(self.anchor_space)}")
        return anchor.detach().to(self.bench.backbone.device)

    def _aligned(self, rows: OwnRows) -> Adapters:
        own = [[rows.rows[number] for number in numbers] for numbers in rows.numbers()]
        settings = self.settings
        return lora_ga(self.bench.backbone, self.anchor_space, own, settings.lora.scaling, settings.train.rows_at_once)

    def _made(self) -> Start:
        """The anchor that `begin` names; LoRA-GA's comes from each user's own items."""
        if self.settings.begin == "pissa":
            return shared_start(pissa(self.bench.backbone, self.anchor_space))
        generator = torch.Generator().manual_seed(self.settings.seed)
        fresh = {name: t[None] for name, t in self.anchor_space.start(generator).items()}
        return shared_start(Adapters(self.anchor_space, fresh))
