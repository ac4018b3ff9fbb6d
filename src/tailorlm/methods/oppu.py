"""OPPU: one PEFT per user, trained on the user's own history, many users side by side.

Another source's adapters, frozen, may stand under the users' own: a task LoRA for everybody, or one for each task or
user. Knows nothing of profiles.
Source: Tan et al. 2024 through P2P section 4; reference section 3 (task LoRA first, then a LoRA on q and v per user;
also IA3 and prompt tuning).
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from tailorlm.adapters.batch import Adapters
from tailorlm.adapters.lora import LoraSpace
from tailorlm.adapters.stack import stack, stacked
from tailorlm.backbone.inject import Injector
from tailorlm.data.records import Example, User
from tailorlm.methods import made_for
from tailorlm.methods.form import NOTHING, Form, lora
from tailorlm.methods.gradient_norms import Looking
from tailorlm.methods.lora import LoraSettings
from tailorlm.methods.own_items import ItemSettings, OwnRows
from tailorlm.methods.own_plan import STAGE_2_BATCHES, STAGE_2_RATES, Pace
from tailorlm.methods.owners import Owner, owners
from tailorlm.methods.peft import PeftSettings
from tailorlm.methods.source import Bench, Needs, Roster, Start
from tailorlm.methods.task_names import task_names
from tailorlm.methods.tuned import Tuned
from tailorlm.methods.tuning import Raw, Tuning
from tailorlm.training.many import ManySettings, Observe

NEEDS = Needs(task_data=False, other_users=False, user_training=True)
"""Of its own: what it begins at (a task LoRA) has needs besides."""
START = "start/"
"""Before the names of what an owner begins at, where it is not everybody's: it is kept with the owner."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Defaults are OPPU's own: all items, 2 epochs, batches of 16, 1e-4. `stage_2` has PRISP's.

    `kind`: what each user has: "lora" (in `lora`), or another kind of adapter with its `options`. `rates` and
    `batches` are by task name; other tasks have `train.learning_rate` and `batch`. `dropout` acts on LoRA's
    inputs. `gradient_norms`: the roster has those of B by step and layer.
    """

    lora: LoraSettings = field(default_factory=LoraSettings)
    kind: str = "lora"
    options: Mapping[str, Any] = field(default_factory=dict)
    items: ItemSettings = field(default_factory=ItemSettings)
    epochs: int = 2
    batch: int = 16
    batches: Mapping[str, int] = field(default_factory=dict)
    rates: Mapping[str, float] = field(default_factory=dict)
    dropout: float = 0.0
    seed: int = 0
    users_at_once: int = 64
    gradient_norms: bool = False
    train: ManySettings = field(default_factory=ManySettings)

    def __post_init__(self) -> None:
        """ValueError for options of "lora", which has a table of its own, and for nobody at once."""
        if self.kind == "lora" and self.options:
            raise ValueError(f'options {sorted(self.options)} with kind "lora": its settings are the table `lora`')
        if self.gradient_norms and self.kind != "lora":
            raise ValueError(f'gradient_norms are those of LoRA\'s B, and kind is "{self.kind}": expected "lora"')
        if self.dropout and self.kind != "lora":
            raise ValueError(
                f'dropout is {self.dropout}, and kind "{self.kind}" has no LoRA to drop inputs of: expected 0'
            )
        if self.users_at_once < 1 or not 0 <= self.dropout < 1:
            raise ValueError(
                f"users_at_once is {self.users_at_once} (valid: at least 1), dropout {self.dropout} (in [0, 1))"
            )
        self.peft()
        _ = self.pace

    @property
    def pace(self) -> Pace:
        """How often and in what steps a user sees the own rows."""
        return Pace(
            epochs=self.epochs, batch=self.batch, rate=self.train.learning_rate, batches=self.batches,
            rates=self.rates, seed=self.seed,
        )  # fmt: skip

    def peft(self) -> PeftSettings:
        """The users' kind of adapter."""
        return PeftSettings(kind=self.kind, options=asdict(self.lora) if self.kind == "lora" else self.options)


def stage_2() -> Settings:
    """OPPU as PRISP compares it: PRISP's own stage-2 items, rates and batches, one epoch."""
    return Settings(
        items=ItemSettings(items=10, context="rag_pag", options={"k": 1}),
        epochs=1, batches=STAGE_2_BATCHES, rates=STAGE_2_RATES, dropout=0.05,
    )  # fmt: skip


def form(settings: Settings, start: Form | None) -> Form:
    """The user's own over the start; two LoRAs at the same places are one of both ranks, all else is two adapters.

    ValueError for dropout of two adapters that are no LoRA together.
    """
    targets, rank = lora(settings.lora) if settings.kind == "lora" else (frozenset[str](), 0)
    reads = settings.items.reads | (NOTHING if start is None else start.reads)
    if start is None:
        scaling = settings.lora.scaling if settings.kind == "lora" else None
        return Form(kind=settings.kind, targets=targets, rank=rank, reads=reads, scaling=scaling)
    if (start.kind, start.targets) == (settings.kind, targets) == ("lora", targets):
        return Form(kind="lora", targets=targets, rank=start.rank + rank, reads=reads)
    if settings.dropout:
        raise ValueError(
            f"dropout is {settings.dropout}, which acts on the inputs of one LoRA, and {settings.kind} over {start} is "
            "two adapters: expected dropout = 0, or a LoRA with the start's targets"
        )
    return Form(kind=f"{settings.kind} over {start.kind}", reads=reads)


class Source:
    """Enrolling trains; the adapters are the start's and the user's: of two LoRAs, side by side along the rank."""

    def __init__(self, bench: Bench, settings: Settings, start: Start | None = None) -> None:
        """`start`: what stands frozen under the users' own (the task LoRA); None starts at the base.

        Under another kind than LoRA, or at other sites, no portable file holds both: an export says so.
        """
        self.bench, self.settings, self.start = bench, settings, start
        self.task = None if start is None or start.shared is None else start.shared.detach()
        self.peft = settings.peft()
        self.own = self.peft.space(bench.backbone)
        self.space = self.own if start is None else stack(start.space, self.own)
        self.injector = Injector(bench.backbone.model, self.space)
        self.tasks: frozenset[str] = frozenset()

    def prepare(self, users: Sequence[User], directory: Path, resume: bool = False, held: Sequence[User] = ()) -> None:
        """Only which tasks there are: the start is given. `held` users decide nothing."""
        self.tasks = task_names(self.bench, users if self.settings.pace.unfiled else ())

    @property
    def goes_on(self) -> bool:
        """Whether a stopped enrolment goes on; gradients' norms of the steps before would be missing."""
        return not self.settings.gradient_norms

    def enrol(
        self, users: Sequence[User], tasks: Sequence[str] = (), *, directory: Path | None = None,
        observe: Observe | None = None,
    ) -> Roster:  # fmt: skip
        """Train every user's adapter on the user's own items; a user without items keeps the start alone.

        ValueError for rates or batches of a task that there is not, by name.
        With a `directory` a run that was stopped goes on exactly (not with gradient_norms); `observe` sees each step's
        gradients.
        """
        people = owners(users, tasks, self.settings.items.scope)
        if not self.settings.gradient_norms or not isinstance(self.own, LoraSpace):
            return self.tuning(tasks).enrol(people, directory, observe)
        looking = Looking(self.own, observe)
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
        return Tuning(
            self.bench, self.injector, self._begin, self.effective, settings.items, settings.pace, settings.train,
            self._about(), settings.users_at_once, settings.dropout, self.tasks.union(tasks),
        )  # fmt: skip

    def effective(self, params: Raw, fixed: Raw) -> Adapters:
        """Users' parameters (U, ...) as adapters: the scale folded in, the start's rank rows before the user's."""
        own = self.peft.effective(self.own, params)
        under = self._under(fixed)
        return own if under is None else stacked(under, own)

    def _about(self) -> dict[str, str]:
        """What users' parameters mean anything with."""
        lora = isinstance(self.own, LoraSpace)
        own = made_for.said(self.own, self.settings.lora.scaling) if lora else repr(self.peft.settings())
        return {
            "base": made_for.base(self.bench.backbone), "adapter": own, "start": made_for.beneath(self.start),
        }  # fmt: skip

    def _begin(self, people: Sequence[Owner], rows: OwnRows) -> tuple[Raw, Raw]:
        fresh = self.peft.fresh(self.bench.backbone, len(people), self.settings.seed)
        if self.start is None or self.task is not None:
            return fresh, {}
        under = self.start.of(people).detach().to(self.bench.backbone.device)
        return fresh, {START + name: t.expand(len(people), *t.shape[1:]) for name, t in under.tensors.items()}

    def _under(self, fixed: Raw) -> Adapters | None:
        """What stands under the users' own: kept of each, or everybody's. ValueError where it was not kept so."""
        kept = {name.removeprefix(START): t for name, t in fixed.items()}
        if bool(kept) != (self.start is not None and self.task is None):
            theirs, given = ("a start of each one's own", "one for all, or none")[:: 1 if kept else -1]
            raise ValueError(f"these users were trained over {theirs}, and this source has {given}: give it theirs")
        return Adapters(self.start.space, kept) if self.start is not None and kept else self.task
