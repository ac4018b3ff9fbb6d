"""The evaluation's runner without a model's time: rows a minute, and memory, with many users and long histories.

Generated users (a history each and one query) are read from JSONL, put on disk, asked in each context with answers that
cost nothing, scored, written as Parquet, summed up and put side by side, as `tailor eval` does; tokens are counted by
the demo's tokenizer. Targets: 10,000 rows a minute (6 ms a row); memory that does not grow with users and histories,
held against a limit. Memory is what the process resides in, looked at twenty times a second: the system's own peak is
what the runner resets for every piece of work.
Run: python benchmarks/runner.py [--users 20000] [--items 200] [--contexts none profile_only].
"""

import argparse
import json
import os
import random
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from importlib.resources import files
from pathlib import Path
from threading import Thread
from typing import Any, NamedTuple, TypeVar

import torch
from table import Row, show

from tailorlm.adapters.batch import Adapters
from tailorlm.assembly.benches import load_base, make_bench, make_profilers
from tailorlm.assembly.population import Population, population
from tailorlm.assembly.profilers import learn
from tailorlm.assembly.recipes import BaseSettings, Recipe, resolve
from tailorlm.assembly.remembered import Fitted, Remembered
from tailorlm.assembly.sources import Prepared
from tailorlm.backbone.generate import Generated
from tailorlm.backbone.inject import Injector
from tailorlm.backbone.prompt import Prompt
from tailorlm.evaluation import runner
from tailorlm.evaluation.floors import common_answers
from tailorlm.evaluation.plan import Method, Plan
from tailorlm.evaluation.runner_answers import write_answers
from tailorlm.evaluation.runner_desk import Desk, Shown
from tailorlm.evaluation.runner_floors import Floors
from tailorlm.evaluation.runner_results import read, results
from tailorlm.evaluation.runner_sources import Sourced
from tailorlm.methods import none
from tailorlm.plugins import find
from tailorlm.tasks.movie_tagging import TAGS
from tailorlm.tasks.task import Task

TASK = "movie_tagging"
PER_ROW, MEMORY = 6e-3, 2.0
"""Targets: seconds a row, GiB of memory at most (torch alone takes most of one)."""
STATM = Path("/proc/self/statm")
T = TypeVar("T")


class Spent(NamedTuple):
    """Seconds on the wall and of the processor: the latter are judged, since a busy machine must not fail it.

    `resident`: GiB of memory at most meanwhile.
    """

    wall: float
    processor: float
    resident: float


class Resident:
    """The most GiB that the process has resided in since `forget`. ValueError where the system cannot say."""

    def __init__(self, every: float = 0.05) -> None:
        if not STATM.exists():
            raise ValueError(f"{STATM} is not there: memory is measured on Linux only")
        self.most, self.every = 0.0, every
        Thread(target=self._watch, daemon=True).start()

    def forget(self) -> None:
        """Begin again."""
        self.most = self.now()

    def now(self) -> float:
        """GiB at this moment."""
        return int(STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**30

    def _watch(self) -> None:
        while True:
            self.most = max(self.most, self.now())
            time.sleep(self.every)


def write_people(path: Path, users: int, items: int, name: str = "asked") -> None:
    """Users (`name` and a number); an item is a movie of twenty words and its tag, and the last one is asked."""
    dice = random.Random(0)
    words = [f"word{n}" for n in range(5000)]
    with path.open("w", encoding="utf-8") as out:
        for n in range(users):
            told = [
                {"input": f"Tag this movie: {' '.join(dice.choices(words, k=20))}. Tags: {', '.join(TAGS)}",
                 "output": dice.choice(TAGS), "time": time, "task": TASK}
                for time in range(items + 1)
            ]  # fmt: skip
            line = {"user_id": f"{name}{n}", "history": told[:-1], "queries": [{"id": f"q{n}", **told[-1]}]}
            out.write(json.dumps(line) + "\n")


def free(
    prompts: Sequence[Prompt], adapters: Adapters | None, index: torch.Tensor, injector: Injector | None, task: Task,
    room: int,
) -> list[Generated]:  # fmt: skip
    """Answers that cost nothing."""
    return [Generated(TAGS[len(prompt.body) % len(TAGS)], 0, 0, 0.0) for prompt in prompts]


def recipe_of(folder: Path) -> Recipe:
    """Three train, all others are asked."""
    data = {"root": str(folder), "train": "train.jsonl", "dev": "dev.jsonl"}
    base = str(files("tailorlm.demo").joinpath("base"))
    return resolve({"base": {"name": base, "dtype": "float32"}, "data": data, "eval": {"rows": ["base"]}})


def desk_of(recipe: Recipe, people: Population) -> Desk:
    """The demo's small model for its tokenizer, profiles as the recipe says, answers that cost nothing."""
    backbone = load_base(BaseSettings(name=recipe.base.name, dtype="float32"))
    profilers = make_profilers(recipe.profile, learn(recipe.profile, people.train), backbone)
    profile = Remembered(profilers)
    bench = make_bench(backbone, profile, None, recipe.max_tokens)
    return Desk(bench, profile, people.splits, people.train, free, lambda error: type(error).__name__)


def way(desk: Desk, context: str) -> Sourced:
    """The base in a context."""
    module = find("contexts", context)
    prepared = Prepared(none.Source(desk.bench, none.Settings()), Fitted(desk.profile))
    method = Method(context, "none", context, {"context": context})
    return Sourced(desk, lambda: prepared, {context: Shown.of(module, module.Settings())}, [method], 0)


class Stages:
    """What each stage took, by name."""

    def __init__(self) -> None:
        self.took: dict[str, Spent] = {}
        self.resident = Resident()

    def __call__(self, name: str, work: Callable[[], T]) -> T:
        """What `work` gives."""
        self.resident.forget()
        start, before = time.perf_counter(), time.process_time()
        found = work()
        most = max(self.resident.most, self.resident.now())
        self.took[name] = Spent(time.perf_counter() - start, time.process_time() - before, most)
        return found


def measure(folder: Path, users: int, contexts: Sequence[str]) -> tuple[dict[str, Spent], dict[str, int]]:
    """Seconds and memory of each stage, and rows of those that make rows."""
    timed = Stages()
    recipe = recipe_of(folder)
    people = timed("users read and put on disk", lambda: population(recipe, folder))
    desk = desk_of(recipe, people)
    floors = Floors(desk, common_answers(people.train), [TASK], 0)
    ways: list[Any] = [floors, *(way(desk, context) for context in contexts)]
    made = {"floors": len(floors.methods) * users, **{context: users for context in contexts}}
    plan = Plan(folder / "rows", people.splits, ways, recipe.eval.users_at_once)
    runner.begin(plan.folder)
    for name, one in zip(made, ways, strict=True):
        alone = Plan(plan.folder, plan.splits, [one], plan.users_at_once)
        timed(name, lambda alone=alone: runner.run(alone, desk.reason, lambda method, rows: None))
    found = timed("rows read again", lambda: read(plan))
    timed("results, 1,000 draws of users", lambda: results(plan, found, {}, 1000, 0))
    timed("answers.jsonl", lambda: write_answers(folder / "answers.jsonl", plan, lambda user, task: []))
    return timed.took, made


def main() -> int:
    """Print the table; 1 where a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--users", type=int, default=20_000)
    parser.add_argument("--items", type=int, default=200)
    parser.add_argument("--contexts", nargs="+", default=["none", "profile_only"])
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as name:
        folder = Path(name)
        write_people(folder / "dev.jsonl", asked.users, asked.items)
        write_people(folder / "train.jsonl", 3, 1, "trained")
        times, made = measure(folder, asked.users, asked.contexts)
    print(f"{asked.users:,} users with {asked.items} items each, one query a user")
    rows: list[Row] = []
    for stage, took in times.items():
        count = made.get(stage, 0)
        speed = f", {60 * count / took.processor:,.0f} rows a minute" if count else ""
        said = f"{took.processor:.1f} s of the processor, {took.wall:.1f} s in all, {took.resident:.2f} GiB{speed}"
        rows.append((stage, said, took.processor / (count or asked.users), PER_ROW if count else None))
    show(rows, "no model", torch.get_num_threads(), "s a row")
    peak = max(took.resident for took in times.values())
    show([("peak memory", f"limit {MEMORY:.0f} GiB", peak, MEMORY)], "no model", torch.get_num_threads(), "GiB")
    return int(
        peak > MEMORY or any(took.processor / made[name] > PER_ROW for name, took in times.items() if name in made)
    )


if __name__ == "__main__":
    sys.exit(main())
