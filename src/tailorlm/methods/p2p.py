"""Profile-to-PEFT: a hypernetwork, trained over many users, turns a profile's vectors into a user's LoRA.

One adapter a user (k = 0) from the profile of all tasks, or one a user and task as in the paper; new users need one
forward pass.
Knows nothing of evaluation or serving. Source: P2P section 3; reference section 1.
"""

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from tailorlm.adapters.batch import Adapters
from tailorlm.backbone.inject import Injector
from tailorlm.data.cuts import Cut, sample_cuts, seen
from tailorlm.data.records import Example, User
from tailorlm.hypernet.kinds import Network, make
from tailorlm.methods.batches import BatchSettings, batches, count_tokens
from tailorlm.methods.held import LOSS, UNKNOWN, check_monitor, held_batches, held_loss
from tailorlm.methods.lora import LoraSettings
from tailorlm.methods.objectives import HypernetObjective, LossSettings
from tailorlm.methods.source import Bench, Needs, Roster, Start
from tailorlm.profiles.profile import Profile
from tailorlm.profiles.table import Mode, OnUnknown, VectorTable, build_table, facet_names
from tailorlm.training.examples import TrainingSet, training_set
from tailorlm.training.loop import Evaluate
from tailorlm.training.loop import train as run
from tailorlm.training.settings import TrainSettings

NEEDS = Needs(task_data=True, other_users=True, user_training=False)
MODES: dict[str, Mode] = {"single": "joined", "facets": "facets", "attention": "set"}


@dataclass(frozen=True, slots=True, kw_only=True)
class NetSettings:
    """The hypernetwork's shape. `pool` single is the paper's K = 1; `head` additive has no trunk and needs facets."""

    pool: Literal["single", "facets", "attention"] = "facets"
    head: Literal["additive", "L", "M", "S"] = "additive"
    latent: int = 128
    head_in: int = 512
    unit_norm: bool = True
    dropout: float = 0.05
    components: int = 16
    queries: int = 4

    def __post_init__(self) -> None:
        """ValueError for an additive network without fixed slots."""
        if self.head == "additive" and self.pool != "facets":
            raise ValueError(f'net.pool is {self.pool!r}; head "additive" reads fixed slots: expected "facets"')


@dataclass(frozen=True, slots=True, kw_only=True)
class CutSettings:
    """Profiles a training user gives: `count` random cuts that show at least `minimum` items (0: also none).

    `scope`: one profile of "all" tasks, or one of each "task" (the paper's), which makes an adapter a user and task.
    """

    count: int = 3
    minimum: int = 0
    scope: Literal["all", "task"] = "all"


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Everything of a P2P run; `lora`'s scale acts inside, exports fold it."""

    lora: LoraSettings = field(default_factory=LoraSettings)
    net: NetSettings = field(default_factory=NetSettings)
    cuts: CutSettings = field(default_factory=CutSettings)
    loss: LossSettings = field(default_factory=LossSettings)
    batch: BatchSettings = field(default_factory=BatchSettings)
    train: TrainSettings = field(default_factory=TrainSettings)


class Source:
    """`hypernet` and `facets` are there after `prepare` (or `restore`)."""

    def __init__(self, bench: Bench, settings: Settings, start: Start | None = None) -> None:
        """`start`: one LoRA (MT-LoRA) that the hypernetwork begins at for everybody; None begins at the base."""
        self.bench, self.settings, self.start = bench, settings, start
        self.space = settings.lora.space(bench.backbone)
        self.injector = Injector(bench.backbone.model, self.space)
        self.facets: tuple[str, ...] = ()
        self.hypernet: Network | None = None

    def restore(self, hypernet: Network, facets: tuple[str, ...]) -> None:
        """Use a trained network."""
        self.hypernet, self.facets = hypernet.to(self.bench.backbone.device).eval(), facets

    def prepare(self, users: Sequence[User], directory: Path, resume: bool = False, held: Sequence[User] = ()) -> None:
        """Cut the users' histories, make and encode the profiles before the cuts, and train.

        `held` users, if any, are evaluated meanwhile in the same way and never trained on.
        """
        check_monitor(self.settings.train)
        rows, profiles, owners = self.examples(users)
        self.facets = facet_names(profiles) if self.settings.net.pool == "facets" else ()
        table = self.table(profiles)
        network = self.build(table)
        objective = HypernetObjective(self.bench.backbone, self.injector, network, table, self.settings.loss)
        stream = batches(self.bench, rows, owners, self.settings.batch, self.settings.train.seed)
        evaluate = self.evaluation(network, held) if held else None
        try:
            run(
                objective, stream, self.settings.train, directory, evaluate=evaluate, tokens=count_tokens, resume=resume
            )
        finally:
            self.injector.clear()  # also after Ctrl-C: the model is others' too
        self.hypernet = network.eval()

    def examples(self, users: Sequence[User]) -> tuple[TrainingSet, list[Profile], list[int]]:
        """Rows after the users' cuts (N), the profiles before them, and each row's profile number (N)."""
        bench, seed = self.bench, self.settings.train.seed
        rows = training_set(
            users, self.cuts(users), bench.task_of, bench.backbone.tokenizer, bench.max_tokens, bench.pools, seed
        )
        return rows, *self.profiles(users, rows)

    def evaluation(self, network: Network, held: Sequence[User]) -> Evaluate:
        """The loss of the `held` users' items under the adapters of their profiles, as `network` is then.

        Statements that only held users have find no slot: they are left out, as at use, and counted.
        """
        rows, profiles, owners = self.examples(held)
        asked = held_batches(self.bench, rows, owners, self.settings.train.seed)
        table = self.table(profiles, "count")

        def evaluate() -> dict[str, float]:
            network.eval()  # the objective puts it back
            loss = held_loss(self.bench, self.injector, asked, lambda owners: network(*table.gather(owners)))
            return {LOSS: loss, UNKNOWN: table.unknown.total()}

        return evaluate

    def profiles(self, users: Sequence[User], rows: TrainingSet) -> tuple[list[Profile], list[int]]:
        """The profiles before the cuts, and for each row (N) the number of its own."""
        by_id = {user.id: user for user in users}
        wanted = [(cut, task if self.settings.cuts.scope == "task" else None) for cut, task in rows.asked]
        number = {key: n for n, key in enumerate(dict.fromkeys(wanted))}
        made = [self.bench.profile(cut.user_id, seen(by_id[cut.user_id], cut), task) for cut, task in number]
        return made, [number[key] for key in wanted]

    def cuts(self, users: Iterable[User]) -> list[Cut]:
        """The training cuts, drawn per user from the seed and the user's id: who else is there changes nothing."""
        settings, seed = self.settings.cuts, self.settings.train.seed
        return [
            cut
            for user in users
            for cut in sample_cuts(user, settings.count, settings.minimum, random.Random(f"{seed}/{user.id}"))
        ]

    def table(self, profiles: Sequence[Profile], on_unknown: OnUnknown = "error") -> VectorTable:
        """The profiles' vectors, on the model's device. UnknownFacets for a statement without a slot, or a count."""
        if self.bench.encoder is None:
            raise ValueError("p2p needs an encoder for profiles; the bench has none")
        mode = MODES[self.settings.net.pool]
        table = build_table(profiles, self.bench.encoder, mode, self.facets or None, on_unknown)
        return table.to(self.bench.backbone.device)

    def build(self, table: VectorTable) -> Network:
        """A fresh network for this table's slots, fitted on its profiles, beginning at `start`."""
        torch.manual_seed(self.settings.train.seed)
        network = make(self.space, self.network_settings(table)).to(self.bench.backbone.device)
        network.fit(*table.gather(torch.arange(len(table), device=table.ids.device)))
        if self.start is not None:
            network.set_bias(self.start(()))
        return network

    def network_settings(self, table: VectorTable) -> dict[str, Any]:
        """What the network is made of, complete: a checkpoint keeps it."""
        net = self.settings.net
        common = {
            "encoder_size": table.unique.shape[1], "scaling": self.settings.lora.scaling,
            "head": net.head, "pool": net.pool,
            "slots": table.ids.shape[1] if net.pool == "facets" else 1, "components": net.components,
        }  # fmt: skip
        if net.head == "additive":
            return common
        bias = "layer" if self.start is not None else "shared"
        own = {n: getattr(net, n) for n in ("latent", "head_in", "unit_norm", "dropout", "queries")}
        return common | own | {"bias": bias}

    def enrol(self, users: Sequence[User], tasks: Sequence[str] = ()) -> Roster:
        """One adapter a user from the whole history; with scope "task" one for each of `tasks`."""
        wanted = [(user, task) for user in users for task in self.scopes(tasks)]
        return self.enrol_profiles([self.bench.profile(user.id, user.history, task) for user, task in wanted])

    def scopes(self, tasks: Sequence[str]) -> Sequence[str | None]:
        """What a user's profiles are about. ValueError where the scope is "task" and no task is named."""
        if self.settings.cuts.scope == "all":
            return (None,)
        if not tasks:
            raise ValueError('cuts.scope is "task": name the tasks that users are enrolled for')
        return tuple(tasks)

    @torch.no_grad()
    def enrol_profiles(self, profiles: Sequence[Profile]) -> Roster:
        """One adapter a profile, in one pass of the network. RuntimeError before `prepare`."""
        if self.hypernet is None:
            raise RuntimeError("p2p has no trained network yet: call prepare, or load a checkpoint")
        table = self.table(profiles)
        adapters = self.hypernet(*table.gather(torch.arange(len(profiles), device=table.ids.device)))
        adapters.check()
        return Roster(adapters, {(profile.user_id, profile.task): n for n, profile in enumerate(profiles)})

    def adapters(self, requests: Sequence[Example], roster: Roster) -> tuple[Adapters | None, Tensor]:
        """Each request's own user's adapter (N)."""
        return roster.adapters, torch.tensor(roster.index(requests))
