"""Text-to-LoRA: a hypernetwork, trained over many tasks, turns the description of a task into the task's LoRA.

P2P's network with tasks for users: trained end to end, or to reproduce LoRAs that were trained task by task. An
unseen task needs its description and one forward pass. Knows nothing of evaluation, and of users only who asks for
which task. Source: Text-to-LoRA (Charakorn et al. 2025) through PRISP section 3.2; reference section 2.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from tailorlm.adapters.batch import Adapters
from tailorlm.backbone.inject import Injector
from tailorlm.data.records import Example, User
from tailorlm.hypernet.kinds import Network, make
from tailorlm.methods import described, made_for, reconstruction
from tailorlm.methods.batches import BatchSettings, count_tokens
from tailorlm.methods.described import DescribedTask, TaskRows, Told, task_rows
from tailorlm.methods.form import Form, at_start, lora
from tailorlm.methods.held import LOSS, check_monitor, held_batches, held_loss
from tailorlm.methods.lora import LoraSettings
from tailorlm.methods.objectives import HypernetObjective, LossSettings
from tailorlm.methods.reconstruction import DISTANCES, PairStream, ReconstructionObjective, TargetSettings
from tailorlm.methods.source import Bench, Needs, Roster, Start
from tailorlm.methods.task_names import check_names
from tailorlm.methods.text_to_lora_network import CHECKPOINT, load, network_settings, save
from tailorlm.methods.text_to_lora_network import NetSettings as NetSettings
from tailorlm.profiles.table import Mode, VectorTable, build_table
from tailorlm.training.loop import Evaluate, train
from tailorlm.training.settings import TrainSettings

NEEDS = Needs(task_data=True, other_users=False, user_training=False)
Places = dict[tuple[str, str | None], int]


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Everything of a Text-to-LoRA run.

    tasks   "named": the tasks that users' items name, in their own description; "users": each user given IS a task,
            its profile the descriptions, a line each (docs/methods.md)
    goal    "sft" (end to end), or reconstruction of trained LoRAs by L1 on "z_score" entries or on "delta_w"
    loss    of end-to-end training; `targets`: how reconstruction's LoRAs are trained; `batch` serves both

    `checkpoint`: a folder with a network that was trained before, instead of training one; `lora` and `net.pool` say
    what it makes and reads. `descriptions`: what is said of a named task, by its name, instead of `Task.description`.
    """

    tasks: Literal["named", "users"] = "named"
    goal: Literal["sft", "z_score", "delta_w"] = "sft"
    lora: LoraSettings = field(default_factory=LoraSettings)
    net: NetSettings = field(default_factory=NetSettings)
    loss: LossSettings = field(default_factory=LossSettings)
    targets: TargetSettings = field(default_factory=TargetSettings)
    batch: BatchSettings = field(default_factory=BatchSettings)
    train: TrainSettings = field(default_factory=TrainSettings)
    checkpoint: str = ""
    descriptions: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """ValueError for a description that says nothing."""
        for name, said in self.descriptions.items():
            if not said.strip():
                raise ValueError(f"descriptions has nothing for task {name!a}: expected a sentence")


def needs(settings: Settings) -> Needs:
    """No data of the task that is asked where it is trained on a corpus of described tasks (PRISP's table 2)."""
    return Needs(task_data=settings.tasks == "named", other_users=False, user_training=False)


def form(settings: Settings, start: Form | None) -> Form:
    """A LoRA a task. ValueError for a start that is not one LoRA of the settings' own form, or with a checkpoint."""
    if start is not None and settings.checkpoint:
        raise ValueError(f"it takes the network of {settings.checkpoint}, which is trained already: leave start out")
    at_start(start, settings.lora)
    targets, rank = lora(settings.lora)
    return Form(kind="lora", targets=targets, rank=rank, each="task", scaling=settings.lora.scaling)


class Source:
    """`hypernet` is there after `prepare` (or `restore`); an adapter belongs to a description, users share it."""

    def __init__(self, bench: Bench, settings: Settings, start: Start | None = None) -> None:
        """`start`: one LoRA (MT-LoRA) that network and targets begin at; None begins at the base.

        ValueError for one with a `checkpoint`, which is trained already.
        """
        if settings.checkpoint and start is not None:
            raise ValueError(f"text_to_lora takes the network of {settings.checkpoint}, so it begins at nothing else")
        self.bench, self.settings, self.start = bench, settings, start
        self.space = settings.lora.space(bench.backbone)
        self.injector = Injector(bench.backbone.model, self.space)
        self.facets: tuple[str, ...] = (described.FACET,) if settings.net.pool == "facets" else ()
        self.hypernet: Network | None = None

    def restore(self, hypernet: Network, facets: tuple[str, ...] = ()) -> None:
        """Use a trained network. ValueError where it reads other slots than these settings'."""
        if facets != self.facets:
            raise ValueError(f"the network reads the facets {facets}; net.pool gives {self.facets}")
        self.hypernet = hypernet.to(self.bench.backbone.device).eval()

    def prepare(self, users: Sequence[User], directory: Path, resume: bool = False, held: Sequence[User] = ()) -> None:
        """Train on the tasks of `users`, and save the network in `directory`/checkpoint, or take the one in
        `settings.checkpoint`. The tasks of `held` are evaluated meanwhile and never trained on.
        """
        if self.settings.checkpoint:
            self.restore(load(Path(self.settings.checkpoint), self.bench, self.space, self.facets), self.facets)
            return
        check_monitor(self.settings.train)
        self.prepare_tasks(self.tasks(users), directory, resume, self.tasks(held))
        assert self.hypernet is not None
        save(directory / CHECKPOINT, self.hypernet, self.bench, self.facets)

    def tasks(self, users: Sequence[User]) -> list[DescribedTask]:
        """The tasks of these users, as `settings.tasks` says. ValueError names a task without a description."""
        if self.settings.tasks == "users":
            return described.described_users(users)
        return described.named_tasks(users, self.bench.task_of, self.settings.descriptions)

    def prepare_tasks(
        self, tasks: Sequence[DescribedTask], directory: Path, resume: bool = False,
        held: Sequence[DescribedTask] = (), targets: Adapters | None = None,
    ) -> None:  # fmt: skip
        """Train the network on these tasks; reconstruction may be given LoRAs of theirs, in order, as `targets`."""
        reconstruction.check_targets(self.settings.goal, self.space, len(tasks), targets)
        rows = task_rows(self.bench, tasks)
        table = self.table(rows.descriptions)
        begin, names = self.start.one() if self.start is not None else None, [task.name for task in tasks]
        try:
            if self.settings.goal == "sft":
                self.train_on_rows(self.build(table, begin), table, rows, directory, resume, held)
            else:
                how, seed = self.settings.targets, self.settings.train.seed
                mark = reconstruction.about(self.bench, rows, begin, how, seed, targets)
                made = reconstruction.kept(
                    directory, self.space, names, mark, resume, lambda: targets or self.trained(rows, begin)
                )
                self.train_on_adapters(table, rows, made, directory, resume, held)
        finally:  # also where training was interrupted: the model is everybody's
            self.injector.clear()

    def train_on_rows(
        self, network: Network, table: VectorTable, rows: TaskRows, directory: Path, resume: bool,
        held: Sequence[DescribedTask],
    ) -> None:  # fmt: skip
        """End to end: the loss of the tasks' rows under the adapters of their descriptions."""
        settings = self.settings
        objective = HypernetObjective(self.bench.backbone, self.injector, network, table, settings.loss)
        stream, evaluate = Told(self.bench, rows, settings.batch, settings.train.seed), self.evaluation(network, held)
        train(
            objective, stream, settings.train, directory, evaluate=evaluate, tokens=count_tokens, resume=resume,
            about=made_for.training(self.bench.backbone, self.start, rows.rows.rows, rows.task, rows.descriptions),
        )  # fmt: skip
        self.hypernet = network.eval()

    def trained(self, rows: TaskRows, begin: Adapters | None) -> Adapters:
        """A LoRA for each of the rows' tasks."""
        settings, device = self.settings, self.bench.backbone.device
        first = begin if begin is not None else reconstruction.fresh(self.space, settings.train.seed, device)
        return reconstruction.trained_adapters(
            self.bench, self.injector, rows, first, settings.targets, settings.train.seed
        )

    def train_on_adapters(
        self, table: VectorTable, rows: TaskRows, targets: Adapters, directory: Path, resume: bool,
        held: Sequence[DescribedTask],
    ) -> None:  # fmt: skip
        """Reconstruction: the network begins at the mean of the tasks' LoRAs."""
        settings, targets = self.settings, targets.to(self.bench.backbone.device)
        network = self.build(table, reconstruction.mean(targets))
        reconstruction.set_gains(network, targets)
        objective = ReconstructionObjective(network, table, targets, DISTANCES[settings.goal](targets))
        stream = PairStream(rows, settings.batch.users, settings.train.seed)
        evaluate, about = self.evaluation(network, held), made_for.training(self.bench.backbone, self.start, targets)
        train(objective, stream, settings.train, directory, evaluate=evaluate, resume=resume, about=about)
        self.hypernet = network.eval()

    def evaluation(self, network: Network, held: Sequence[DescribedTask]) -> Evaluate | None:
        """The loss of the `held` tasks' rows under the adapters of their first descriptions; None without tasks."""
        if not held:
            return None
        rows = task_rows(self.bench, held)
        table = self.table([task.descriptions[0] for task in held])
        asked = held_batches(self.bench, rows.rows, rows.task, self.settings.train.seed)

        def evaluate() -> dict[str, float]:
            network.eval()  # the objective puts it back
            return {LOSS: held_loss(self.bench, self.injector, asked, lambda t: network(*table.gather(t)))}

        return evaluate

    def table(self, descriptions: Sequence[str]) -> VectorTable:
        """The descriptions' vectors, on the model's device."""
        if self.bench.encoder is None:
            raise ValueError("text_to_lora needs an encoder for descriptions; the bench has none")
        mode: Mode = "facets" if self.facets else "joined"
        table = build_table(described.as_profiles(descriptions), self.bench.encoder, mode, self.facets or None)
        return table.to(self.bench.backbone.device)

    def build(self, table: VectorTable, begin: Adapters | None) -> Network:
        """A fresh network, fitted on the training descriptions, which gives `begin` for every one."""
        torch.manual_seed(self.settings.train.seed)
        shape = network_settings(self.settings.net, table, self.settings.lora.scaling, begin)
        network = make(self.space, shape).to(self.bench.backbone.device)
        network.fit(*table.gather(torch.arange(len(table), device=table.ids.device)))
        if begin is not None:
            network.set_bias(begin)
        return network

    def enrol(self, users: Sequence[User], tasks: Sequence[str] = ()) -> Roster:
        """One adapter a description: of each of `tasks`, for all users; without `tasks`, of each user's first line.

        ValueError for a description of a task that there is not, and for a user without named tasks who is no task
        itself (`settings.tasks` "users").
        """
        if tasks:
            check_names("descriptions", self.settings.descriptions, tasks)
            said = [described.description(self.bench.task_of(task), self.settings.descriptions) for task in tasks]
            place: Places = {(user.id, task): number for user in users for number, task in enumerate(tasks)}
        elif self.settings.tasks == "users":
            said = [task.descriptions[0] for task in self.tasks(users)]
            place = {(user.id, None): number for number, user in enumerate(users)}
        else:
            raise ValueError("text_to_lora makes an adapter a task: name the tasks that users are enrolled for")
        return Roster(self.generate(said), place, shared=True)

    def of_all(self, tasks: Sequence[str] = ()) -> Adapters | None:
        """The adapter that everybody has who is enrolled for these tasks: there is one where there is one task."""
        return self.enrol((), tasks).adapters if len(tasks) == 1 else None

    @torch.no_grad()
    def generate(self, descriptions: Sequence[str]) -> Adapters:
        """An adapter a description, in one pass. RuntimeError before `prepare`."""
        if self.hypernet is None:
            raise RuntimeError("text_to_lora has no trained network yet: call prepare, or load a checkpoint")
        table = self.table(descriptions)
        numbers = torch.arange(len(descriptions), device=table.ids.device)
        adapters: Adapters = self.hypernet(*table.gather(numbers))
        adapters.check()
        return adapters

    def adapters(self, requests: Sequence[Example], roster: Roster) -> tuple[Adapters | None, Tensor]:
        """The adapter of each request's task (N)."""
        return roster.adapters, torch.tensor(roster.index(requests))
