"""`tailor demo`: population, profiles, training, evaluation, export, report, from nothing to a picture.

Knows nothing of the command line. Everything is written below one folder (mode 0700).
"""

import random
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from rich.console import Console

from tailorlm import __version__
from tailorlm.adapters.batch import Adapters
from tailorlm.backbone.inject import Injector
from tailorlm.backbone.prompt import Prompt
from tailorlm.backbone.rows import Row
from tailorlm.data.records import Example, User
from tailorlm.demo import finish as ending
from tailorlm.demo import results, settings
from tailorlm.demo.answering import answers, neighbours, scored, shuffled
from tailorlm.demo.drift import neutral_drift, neutral_rows
from tailorlm.demo.export import Check, export
from tailorlm.demo.population import TASKS, impersonal
from tailorlm.demo.world import SIZES, World, make_bench, make_world, told
from tailorlm.evaluation.floors import common_answers, floor_copy, floor_majority, floor_user
from tailorlm.evaluation.report import table_lines, write_report
from tailorlm.evaluation.table import summary
from tailorlm.methods import mt_lora, none, oppu, p2p
from tailorlm.methods.source import Bench, Roster, shared_start
from tailorlm.training.checkpoints import make_private

MARK = ".tailor-demo"
OWN = frozenset({
    MARK, "users", "vectors", "training", "adapters", "hypernetwork", "results.json", "answers.jsonl", "report.html",
    "report.md", "replies.jsonl", "tasks.jsonl",
})  # fmt: skip
"""What the demo and the task study write."""
NEXT = """
[bold]{out}/report.html[/bold] shows all of this with pictures; {out}/adapters holds a PEFT folder for each unseen user.
Your own people: write them as JSONL (docs/data.md), then
  tailor data check users.jsonl
  tailor train recipes/own_data.toml --data users.jsonl
"""
SPLITS = ("random", "ood")


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How much of everything: the five-minute demo by default."""

    sizes: dict[str, int] = field(default_factory=lambda: dict(SIZES))
    mt_steps: int = 100
    p2p_steps: int = 600
    paper_steps: int = 150
    traits_steps: int = 200
    paper_users: int = 500
    oppu_users: int = 32
    compared: int = 16
    impersonal: int = 100


@dataclass
class Run:
    """One run while it lasts: where it writes, what it found, how long each stage took."""

    out: Path
    seed: int
    plan: Plan
    console: Console
    found: results.Found = field(default_factory=dict)
    drift: dict[str, float] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    neutral: list[Row] = field(default_factory=list)
    impersonal: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Say that a stage has begun, and keep how long it took."""
        self.console.print(f"[bold]{name}[/bold]")
        start = time.perf_counter()
        yield
        self.seconds[name] = round(time.perf_counter() - start, 2)


def main(out: Path, seed: int = 0, plan: Plan | None = None, console: Console | None = None) -> dict[str, Any]:
    """Run everything into `out`, an earlier demo there being replaced; gives what `results.json` holds."""
    run = Run(fresh_folder(out), seed, plan or Plan(), console or Console())
    with run.stage("population"):
        world = make_world(run.out / "users", seed, run.plan.sizes)
    with run.stage("base model and encoder"):
        bench = make_bench(world.users["train"], run.out / "vectors")
        run.neutral = neutral_rows(bench, 200, seed)
    shared, tailored = personalise(run, world, bench)
    compare_with_oppu(run, world, bench, shared)
    with run.stage("export and reload with PEFT"):
        roster = tailored.enrol(world.users["random"])
        check = export(
            bench, tailored.injector, roster, world.queries["random"], run.out / "adapters", run.plan.compared
        )
    return finish(run, world, bench, tailored, check)


def fresh_folder(out: Path) -> Path:
    """An empty folder, mode 0700 where it was not there. One that holds anything but an earlier demo is left alone."""
    there = sorted(path.name for path in out.iterdir()) if out.exists() else []
    if there and MARK not in there:
        raise ValueError(f"{out} exists and is no earlier demo (it has no {MARK}): choose another --out")
    if odd := [name for name in there if name not in OWN]:
        raise ValueError(f"{out} is an earlier demo with {odd[0]!a}, which no demo made: choose another --out")
    for name in there:
        shutil.rmtree(out / name) if (out / name).is_dir() else (out / name).unlink()
    make_private(out)
    (out / MARK).write_text(f"tailor demo {__version__}\n")
    return out


def personalise(run: Run, world: World, bench: Bench) -> tuple[Adapters, p2p.Source]:
    """Train and ask every method but OPPU; gives MT-LoRA's adapter and the trained P2P."""
    train, steps = world.users["train"], run.plan
    with run.stage("floors and base"):
        ask_floors(run, world, bench)
        ask_base(run, world, bench)
    shared = mt_lora.Source(bench, settings.shared(run.seed, steps.mt_steps))
    learn(run, world, bench, "mt_lora", shared, train)
    start = shared.enrol(train[:1]).adapters
    assert start is not None
    tailored = p2p.Source(bench, settings.tailored(run.seed, steps.p2p_steps), shared_start(start))
    learn(run, world, bench, "p2p", tailored, train)
    with run.stage("p2p with shuffled profiles"):
        ask_shuffled(run, world, bench, tailored)
    published = p2p.Source(bench, settings.published(run.seed, steps.paper_steps))
    learn(run, world, bench, "p2p_paper", published, train[: steps.paper_users])
    knowing = replace(bench, profile=told(world.traits))
    ceiling = p2p.Source(knowing, settings.tailored(run.seed, steps.traits_steps), shared_start(start))
    learn(run, world, knowing, "p2p_traits", ceiling, train)
    return start, tailored


def learn(run: Run, world: World, bench: Bench, name: str, source: Any, users: Sequence[User]) -> None:
    """Train a method, then ask it."""
    with run.stage(f"{name}: train"):
        source.prepare(users, run.out / "training" / name)
    with run.stage(f"{name}: answer"):
        ask(run, world, bench, name, source, {split: enrol(source, world.users[split]) for split in SPLITS})


def ask(run: Run, world: World, bench: Bench, name: str, source: Any, rosters: Mapping[str, Roster]) -> None:
    """A method's answers to the queries of both splits, and its drift."""
    for split, roster in rosters.items():
        run.found.setdefault(name, {})[split] = answers(bench, source.injector, world.queries[split], roster)
    run.drift[name] = neutral_drift(bench, source.injector, rosters[SPLITS[0]], run.neutral)


def ask_shuffled(run: Run, world: World, bench: Bench, tailored: p2p.Source) -> None:
    """Everybody with the adapter of a user of the other split, then of the next user of the own.

    Users of `ood` share few pairs of trait values: there a neighbour's profile is often right in some task.
    """
    first, second = (tailored.enrol(world.users[split]) for split in SPLITS)
    across = (shuffled(first, second), shuffled(second, first))
    ask(run, world, bench, "p2p_shuffled", tailored, dict(zip(SPLITS, across, strict=True)))
    within = (neighbours(first), neighbours(second))
    ask(run, world, bench, "p2p_neighbour", tailored, dict(zip(SPLITS, within, strict=True)))


def enrol(source: Any, users: Sequence[User]) -> Roster:
    """The users' adapters; P2P with a profile a task has one a task."""
    per_task = isinstance(source, p2p.Source) and source.settings.cuts.scope == "task"
    roster: Roster = source.enrol(users, TASKS) if per_task else source.enrol(users)
    return roster


def ask_floors(run: Run, world: World, bench: Bench) -> None:
    """The trivial answers."""
    common = common_answers(world.users["train"])
    for split in SPLITS:
        asked, users = world.queries[split], {user.id: user for user in world.users[split]}
        floors = {
            "floor_majority": floor_majority(asked, common),
            "floor_user": floor_user(asked, users, common),
            "floor_copy": floor_copy(asked),
        }
        for name, outputs in floors.items():
            run.found.setdefault(name, {})[split] = scored(bench, asked, outputs)


def ask_base(run: Run, world: World, bench: Bench) -> None:
    """The base model, plain and with the profile of the query's task in its prompt."""
    injector = Injector(bench.backbone.model, settings.LORA.space(bench.backbone))
    for split in SPLITS:
        asked, users = world.queries[split], {user.id: user for user in world.users[split]}
        nobody = none.Source(bench, none.Settings()).enrol(world.users[split])
        run.found.setdefault("base", {})[split] = answers(bench, injector, asked, nobody)
        prompts = with_profile(bench, asked, users)
        run.found.setdefault("base_profile", {})[split] = answers(bench, injector, asked, nobody, prompts)
    plain = impersonal_questions(run.plan.impersonal, run.seed)
    run.impersonal = summary(answers(bench, injector, plain, Roster(None, {("nobody", None): -1})))


def impersonal_questions(count: int, seed: int) -> list[Example]:
    """`count` questions a task that have one right answer for everybody."""
    rng = random.Random(f"{seed}/impersonal")
    asked = [(task, n, *impersonal(task, rng)) for task in TASKS for n in range(count)]
    return [Example(f"{task}-{n}", "nobody", task, text, answer) for task, n, text, answer in asked]


def with_profile(bench: Bench, asked: Sequence[Example], users: dict[str, User]) -> list[Prompt]:
    """The tasks' prompts with the statements about the query's task before them, as the base learned it."""
    prompts = []
    for query in asked:
        said = bench.profile(query.user_id, users[query.user_id].history, None).statements
        lines = [statement.text for statement in said if statement.facet.startswith(f"{query.task}:")]
        prompts.append(replace(bench.task_of(query.task).prompt(query.input), context="\n".join(lines) + "\n"))
    return prompts


def compare_with_oppu(run: Run, world: World, bench: Bench, task: Adapters) -> None:
    """OPPU on a few unseen users, side by side."""
    few = world.users["random"][: run.plan.oppu_users]
    asked = [query for query in world.queries["random"] if query.user_id in {user.id for user in few}]
    source = oppu.Source(bench, settings.own(run.seed), shared_start(task))
    with run.stage("oppu: train"):
        roster = source.enrol(few)
    with run.stage("oppu: answer"):
        run.found["oppu"] = {"random": answers(bench, source.injector, asked, roster)}
        run.drift["oppu"] = neutral_drift(bench, source.injector, roster, run.neutral)


def finish(run: Run, world: World, bench: Bench, tailored: p2p.Source, check: Check) -> dict[str, Any]:
    """Results, the hypernetwork and the report on disk; the table and what to do next on the screen."""
    oppu_ids = [user.id for user in world.users["random"][: run.plan.oppu_users]]
    timing = ending.costs(tailored, world.users["random"], run.seconds["oppu: train"], len(oppu_ids), check)
    more = {"drift": run.drift, "impersonal": run.impersonal, "timing": {"seconds": run.seconds, **timing}}
    result = ending.collect(run.out, bench, world, run.found, more, check, oppu_ids, run.seed)
    asked = {split: world.queries[split] for split in SPLITS}
    people = [user for split in SPLITS for user in world.users[split]]
    profiles = {user.id: bench.profile(user.id, user.history, None) for user in people}
    results.write_answers(run.out / "answers.jsonl", run.found, asked, profiles)
    recipe = {"demo": asdict(run.plan), "seed": run.seed}
    ending.save_network(run.out / "hypernetwork", bench, tailored, world, recipe)
    ending.write(run.out, result)
    write_report(run.out)
    for line in table_lines(result):
        run.console.print(line, highlight=False)
    run.console.print(NEXT.format(out=run.out))
    return result
