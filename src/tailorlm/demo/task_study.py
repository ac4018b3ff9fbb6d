"""Text-to-LoRA on the demo's small tasks: `python -m tailorlm.demo.task_study OUT [--seed S]`, an hour on two cores.

Trains MT-LoRA, a LoRA a task, and Text-to-LoRA end to end and by reconstruction; asks seen tasks in unseen words,
held-out tasks, and with imprecise and wrong descriptions. Knows nothing of users. Source: Text-to-LoRA's and PRISP's
tests of descriptions (reference section 2); issue 3.
"""

import argparse
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from rich.console import Console

from tailorlm.adapters.batch import Adapters
from tailorlm.assembly.datasets import task_of
from tailorlm.backbone.inject import Injector
from tailorlm.backbone.model import Backbone
from tailorlm.data.jsonl import write_users
from tailorlm.data.records import Interaction
from tailorlm.demo import finish
from tailorlm.demo import task_study_settings as chosen
from tailorlm.demo.run import fresh_folder
from tailorlm.demo.small_tasks import SmallTask, small_tasks
from tailorlm.demo.task_study_asking import Found, ask, ask_descriptions, ask_prompted
from tailorlm.demo.task_study_asking import conditions as conditions_of
from tailorlm.demo.task_study_results import results, table, write_replies
from tailorlm.demo.world import base_directory
from tailorlm.methods import mt_lora, text_to_lora
from tailorlm.methods.described import described_users, task_rows
from tailorlm.methods.reconstruction import trained_adapters
from tailorlm.methods.source import Bench, shared_start
from tailorlm.profiles.cache import CachedEncoder
from tailorlm.profiles.encode import SentenceEncoder
from tailorlm.profiles.profile import Profile


@dataclass
class Run:
    """One study while it lasts."""

    out: Path
    seed: int
    plan: chosen.Plan
    bench: Bench
    tasks: list[SmallTask]
    console: Console
    found: Found = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)

    @property
    def seen(self) -> list[SmallTask]:
        """The tasks that anything may be trained on."""
        return [task for task in self.tasks if task.split == "seen"]

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Say that a stage has begun, and keep how long it took."""
        self.console.print(name)
        start = time.perf_counter()
        yield
        self.seconds[name] = round(time.perf_counter() - start, 1)


def main(out: Path, seed: int = 0, plan: chosen.Plan | None = None, console: Console | None = None) -> dict[str, Any]:
    """Run everything into `out`, an earlier study there being replaced; gives what `results.json` holds."""
    run = begin(fresh_folder(out), seed, plan or chosen.Plan(), console or Console())
    injector = Injector(run.bench.backbone.model, chosen.LORA.space(run.bench.backbone))
    with run.stage("base: answer"):
        ask(run.bench, injector, run.tasks, run.found, "base", None)
        ask_prompted(run.bench, injector, run.tasks, run.found)
    shared = learn_shared(run, injector)
    own = learn_each(run, injector, shared)
    for name, settings in chosen.networks(run.seed, run.plan).items():
        learn_network(run, name, settings, shared, own)
    result = {
        **results(run.found, run.tasks), "plan": asdict(run.plan), "seconds": run.seconds,
        "tasks": {task.name: task.split for task in run.tasks}, "curves": finish.curves(run.out / "training"),
        **finish.provenance(seed),
    }  # fmt: skip
    finish.write(run.out, result)
    write_replies(run.out / "replies.jsonl", run.found)
    for line in table(result):
        run.console.print(line, highlight=False, markup=False)
    return result


def begin(out: Path, seed: int, plan: chosen.Plan, console: Console) -> Run:
    """The tasks, also as JSONL in `out`, and the bench: the demo's base and MiniLM with a cache."""
    tasks = small_tasks(seed, plan.examples, plan.queries)[:: plan.every]
    write_users(out / "tasks.jsonl", ((task.user, task.queries) for task in tasks))
    backbone = Backbone.load(str(base_directory()), dtype="float32")
    bench = Bench(backbone, task_of, nobody, CachedEncoder(SentenceEncoder(), out / "vectors"), max_tokens=256)
    return Run(out, seed, plan, bench, tasks, console)


def nobody(user_id: str, history: Sequence[Interaction], task: str | None) -> Profile:
    """No profile: tasks have descriptions."""
    return Profile(user_id, task, (), "none")


def learn_shared(run: Run, injector: Injector) -> Adapters:
    """MT-LoRA: one LoRA for all seen tasks, told nothing; then what it answers."""
    source = mt_lora.Source(run.bench, chosen.shared(run.seed, run.plan.mt_steps))
    with run.stage("mt_lora: train"):
        source.prepare([task.user for task in run.seen], run.out / "training" / "mt_lora")
    adapters = source.enrol([run.seen[0].user]).adapters
    assert adapters is not None
    with run.stage("mt_lora: answer"):
        ask(run.bench, injector, run.tasks, run.found, "mt_lora", adapters)
    return adapters


def learn_each(run: Run, injector: Injector, shared: Adapters) -> Adapters:
    """A LoRA for each task, held-out ones too: what descriptions could reach. Gives those of the seen tasks.

    Tasks are trained side by side and apart from each other: held-out ones lend nothing to the seen.
    """
    with run.stage("lora_per_task: train"):
        rows = task_rows(run.bench, described_users([task.user for task in run.tasks]))
        own = trained_adapters(run.bench, injector, rows, shared, chosen.targets(run.plan), run.seed)
    with run.stage("lora_per_task: answer"):
        ask(run.bench, injector, run.tasks, run.found, "lora_per_task", own)
    return own[torch.tensor([n for n, task in enumerate(run.tasks) if task.split == "seen"])]


def learn_network(run: Run, name: str, settings: text_to_lora.Settings, shared: Adapters, own: Adapters) -> None:
    """One hypernetwork on the seen tasks, then its answers under every kind of description."""
    source = text_to_lora.Source(run.bench, settings, shared_start(shared))
    folder = run.out / "training" / name
    with run.stage(f"{name}: train"):
        aims = None if settings.goal == "sft" else own
        source.prepare_tasks(described_users([task.user for task in run.seen]), folder, targets=aims)
    with run.stage(f"{name}: answer"):
        told = conditions_of(run.tasks, source, run.seed)
        ask_descriptions(run.bench, source, run.tasks, run.found, name, told)


def command() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tailorlm.demo.task_study", description=__doc__)
    parser.add_argument(
        "out", type=Path, help="a folder for results.json, replies.jsonl, tasks.jsonl and training curves"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--quick", action="store_true", help="every eighth task and few steps: does it run?")
    given = parser.parse_args()
    main(given.out, given.seed, chosen.QUICK if given.quick else chosen.Plan())


if __name__ == "__main__":
    command()
