"""Profile-to-PEFT: a hypernetwork, trained over many users, turns a profile's vectors into a user's adapter.

One adapter a user (k = 0) from the profile of all tasks, or one a user and task, or with k > 0 items retrieved one a
query, as in the paper; new users need one forward pass. What the network is told: p2p_inputs.py.
Knows nothing of evaluation or serving. Source: P2P section 3; reference section 1.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from tailorlm.adapters.batch import Adapters
from tailorlm.backbone.inject import Injector
from tailorlm.data.records import Example, User
from tailorlm.hypernet.kinds import Network
from tailorlm.methods.asking import Asked
from tailorlm.methods.batches import BatchSettings, batches, count_tokens
from tailorlm.methods.held import LOSS, UNKNOWN, check_monitor, held_batches, held_loss
from tailorlm.methods.lora import LoraSettings
from tailorlm.methods.objectives import HypernetObjective, LossSettings
from tailorlm.methods.p2p_controls import mean_vectors
from tailorlm.methods.p2p_form import form as form
from tailorlm.methods.p2p_inputs import Inputs, Told, check, item_facets
from tailorlm.methods.p2p_network import MODES, fresh, settings_of
from tailorlm.methods.p2p_network import NetSettings as NetSettings
from tailorlm.methods.p2p_rows import CutSettings as CutSettings
from tailorlm.methods.p2p_rows import ToldRows, after_cuts
from tailorlm.methods.peft import PeftSettings
from tailorlm.methods.source import Bench, Needs, Roster, Start
from tailorlm.profiles.encode import Encoder
from tailorlm.profiles.profile import Profile
from tailorlm.profiles.table import OnUnknown, VectorTable, build_table, shared_facets
from tailorlm.training.loop import Evaluate
from tailorlm.training.loop import train as run
from tailorlm.training.settings import TrainSettings

NEEDS = Needs(task_data=True, other_users=False, user_training=False)
AT_ONCE = 512
"""Profiles that one pass of the network takes where adapters are made for users."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Everything of a P2P run. `kind`: what users get: "lora" (in `lora`; its scale acts inside, exports fold it), or
    another kind of adapter with its `options`.

    `source`: what the network is told of a user. `k` items are retrieved for each query: 0 makes an adapter a user,
    more make one a query. A "history" told to an attention pool is a vector an item. `facet_users`: fewer training
    users' own text names no facet of the network; they are written in the checkpoint.
    """

    lora: LoraSettings = field(default_factory=LoraSettings)
    kind: str = "lora"
    options: Mapping[str, Any] = field(default_factory=dict)
    net: NetSettings = field(default_factory=NetSettings)
    cuts: CutSettings = field(default_factory=CutSettings)
    loss: LossSettings = field(default_factory=LossSettings)
    batch: BatchSettings = field(default_factory=BatchSettings)
    train: TrainSettings = field(default_factory=TrainSettings)
    source: Told = "profile+items"
    k: int = 0
    facet_users: int = 5

    def __post_init__(self) -> None:
        """ValueError where kind and options, or source, k and pool do not go together."""
        if self.kind == "lora" and self.options:
            raise ValueError(f'options {sorted(self.options)} with kind "lora": its settings are the table `lora`')
        self.peft()
        check(self.source, self.k)
        if self.facet_users < 1:
            raise ValueError(f"facet_users is {self.facet_users}: expected at least 1 (every training user's facets)")
        if self.source == "history" and self.net.pool == "facets":
            raise ValueError('source "history" has no fixed slots, net.pool is "facets": set "attention" or "single"')

    def peft(self) -> PeftSettings:
        """The users' kind of adapter."""
        return PeftSettings(kind=self.kind, options=asdict(self.lora) if self.kind == "lora" else self.options)


class Source:
    """`hypernet` and `facets` are there after `prepare` (or `restore`); `left_out`: facets that training left out;
    `unread`: by facet, how many statements of users' own text, which few training users had, were left out since.
    """

    def __init__(self, bench: Bench, settings: Settings, start: Start | None = None) -> None:
        """`start`: one LoRA (MT-LoRA) that all begin at; None: a fresh adapter. ValueError for one of another kind."""
        if start is not None and settings.kind != "lora":
            raise ValueError(f'kind is "{settings.kind}": it begins at its own fresh adapter, set start = "base"')
        self.bench, self.settings, self.start = bench, settings, start
        self.inputs = Inputs(bench.profile, bench.task_of, settings.source, settings.k)
        self.space = settings.peft().space(bench.backbone)
        self.injector = Injector(bench.backbone.model, self.space)
        self.facets: tuple[str, ...] = ()
        self.left_out, self.unread = 0, Counter[str]()
        self.hypernet: Network | None = None

    def restore(self, hypernet: Network, facets: tuple[str, ...]) -> None:
        """Use a trained network."""
        self.hypernet, self.facets = hypernet.to(self.bench.backbone.device).eval(), facets

    def prepare(self, users: Sequence[User], directory: Path, resume: bool = False, held: Sequence[User] = ()) -> None:
        """Cut the users' histories, make and encode the profiles before the cuts, and train.

        `held` users, if any, are evaluated meanwhile in the same way and never trained on.
        """
        check_monitor(how := self.settings.train)
        told = self.examples(users)
        self.facets = self.slots(told.profiles)
        table = self.table(told.profiles, "count")
        network, self.left_out = self.build(table), len(table.unknown)
        objective = HypernetObjective(self.bench.backbone, self.injector, network, table, self.settings.loss)
        stream = batches(self.bench, told.rows, told.owners, self.settings.batch, how.seed, told.units)
        about, evaluate = told.about(self.bench, self.start), self.evaluation(network, held) if held else None
        try:
            run(objective, stream, how, directory, evaluate=evaluate, tokens=count_tokens, resume=resume, about=about)
        finally:
            self.injector.clear()  # also after Ctrl-C: the model is others' too
        self.hypernet = network.eval()

    def examples(self, users: Sequence[User]) -> ToldRows:
        """The rows after the users' cuts, with what the network is told before them. ValueError where there is none."""
        cuts, seed = self.settings.cuts, self.settings.train.seed
        room = self.bench.beside(self.space.virtual_tokens).max_tokens
        return after_cuts(self.bench, self.inputs, users, cuts, room, seed)

    def evaluation(self, network: Network, held: Sequence[User]) -> Evaluate:
        """The loss of the `held` users' items under the adapters of their profiles, as `network` is then.

        Statements that only held users have find no slot: they are left out, as at use, and counted.
        """
        told = self.examples(held)
        asked = held_batches(self.bench, told.rows, told.owners, self.settings.train.seed)
        table = self.table(told.profiles, "count")

        def evaluate() -> dict[str, float]:
            network.eval()  # the objective puts it back
            loss = held_loss(self.bench, self.injector, asked, lambda owners: network(*table.gather(owners)))
            return {LOSS: loss, UNKNOWN: table.unknown.total()}

        return evaluate

    def slots(self, profiles: Sequence[Profile]) -> tuple[str, ...]:
        """The facets with a place of their own, few users' own text aside, and each retrieved item's; pool facets."""
        if self.settings.net.pool != "facets":
            return ()
        return tuple(sorted({*shared_facets(profiles, self.settings.facet_users), *item_facets(self.settings.k)}))

    def table(self, profiles: Sequence[Profile], on_unknown: OnUnknown = "error") -> VectorTable:
        """The profiles' vectors, on the model's device. UnknownFacets for a statement without a slot, or a count."""
        table = build_table(profiles, self.encoder, MODES[self.settings.net.pool], self.facets or None, on_unknown)
        return table.to(self.bench.backbone.device)

    @property
    def encoder(self) -> Encoder:
        """What encodes profiles; ValueError where the bench has none."""
        if self.bench.encoder is None:
            raise ValueError("p2p needs an encoder for profiles; the bench has none")
        return self.bench.encoder

    def build(self, table: VectorTable) -> Network:
        """A fresh network for this table's slots, fitted on its profiles, beginning at `start` or the kind's own."""
        by_place = self.start is not None or not self.space.neutral_start
        scaling = self.settings.lora.scaling if self.settings.kind == "lora" else 1.0
        settings = settings_of(self.settings.net, table, scaling, by_place)
        network = fresh(self.space, settings, table, self.settings.train.seed)
        begin = self.start.one() if self.start is not None else self.begin()
        if begin is not None:
            network.set_bias(begin)
        return network

    def begin(self) -> Adapters | None:
        """A fresh adapter as its kind's options say; None for LoRA, which the network draws for itself."""
        if self.settings.kind == "lora":
            return None
        peft, backbone = self.settings.peft(), self.bench.backbone
        return peft.effective(self.space, peft.fresh(backbone, 1, self.settings.train.seed))

    def enrol(self, users: Sequence[User], tasks: Sequence[str] = ()) -> Roster:
        """What is known from the whole history of each user; with scope "task" for each of `tasks`.

        With k = 0 one adapter each; with k > 0 profiles and histories, of which `adapters` makes one a query.
        """
        wanted = [Asked(user.id, user.history, task) for user in users for task in self.scopes(tasks)]
        return self.enrol_profiles(self.inputs.known(wanted), users)

    def scopes(self, tasks: Sequence[str]) -> Sequence[str | None]:
        """What a user's profiles are about. ValueError where the scope is "task" and no task is named."""
        if self.settings.cuts.scope == "all":
            return (None,)
        if not tasks:
            raise ValueError('cuts.scope is "task": name the tasks that users are enrolled for')
        return tuple(tasks)

    def enrol_profiles(self, profiles: Sequence[Profile], users: Sequence[User] = ()) -> Roster:
        """As `enrol`, from profiles; with k > 0 `users` are those whose histories are searched."""
        place = {(profile.user_id, profile.task): n for n, profile in enumerate(profiles)}
        if self.settings.k == 0:
            return Roster(self.made(profiles), place)
        histories = {user.id: user.history for user in users}
        if missing := sorted({profile.user_id for profile in profiles} - histories.keys()):
            raise ValueError(f"k is {self.settings.k}: user {missing[0]!r} has a profile and no history to search")
        return Roster(None, {}, profiles={key: profiles[n] for key, n in place.items()}, histories=histories)

    def enrol_mean(self, training: Sequence[User], users: Sequence[User], tasks: Sequence[str] = ()) -> Roster:
        """A control: everybody as the mean vector of what training on `training` tells the network, by scope."""
        told, scopes = self.examples(training).profiles, self.scopes(tasks)
        made = [self.mean([profile for profile in told if profile.task == task]) for task in scopes]
        place = {(user.id, task): n for user in users for n, task in enumerate(scopes)}
        return Roster(Adapters.cat(made), place, shared=True)

    def mean(self, profiles: Sequence[Profile]) -> Adapters:
        """The one adapter of the mean of the profiles' vectors. ValueError where there is none."""
        table = self.table(profiles, "count")
        vectors, mask = table.gather(torch.arange(len(profiles), device=table.ids.device))
        if self.settings.net.pool == "attention":  # a set, whose slots mean nothing
            vectors, mask = vectors.flatten(0, 1)[:, None], mask.flatten()[:, None]
        return self.made_of(*mean_vectors(vectors, mask))

    def told(self, requests: Sequence[Example], roster: Roster) -> list[Profile]:
        """What the network is told for each request (N) with k > 0: the user's profile and the items found for it."""
        known = [roster.profile(request) for request in requests]  # first: it names who is not enrolled
        asked = [self.inputs.request(request, roster.histories[request.user_id]) for request in requests]
        return self.inputs.asked(known, asked)

    def made(self, profiles: Sequence[Profile]) -> Adapters:
        """One adapter a profile (N)."""
        table = self.table(profiles)
        self.unread += table.unknown
        return self.made_of(*table.gather(torch.arange(len(profiles), device=table.ids.device)))

    @torch.no_grad()
    def made_of(self, vectors: Tensor, mask: Tensor) -> Adapters:
        """One adapter each of vectors (N, K, E), mask (N, K). RuntimeError before `prepare`; BadAdapters on NaN."""
        if self.hypernet is None:
            raise RuntimeError("p2p has no trained network yet: call prepare, or load a checkpoint")
        parts = zip(vectors.split(AT_ONCE), mask.split(AT_ONCE), strict=True)
        adapters = Adapters.cat([self.hypernet(*part) for part in parts])
        adapters.check()
        return adapters

    def adapters(self, requests: Sequence[Example], roster: Roster) -> tuple[Adapters | None, Tensor]:
        """Each request's own user's adapter (N), or with k > 0 its own, made now for all of them together."""
        if roster.adapters is not None:
            return roster.adapters, torch.tensor(roster.index(requests))
        return self.made(self.told(requests, roster)), torch.arange(len(requests))
