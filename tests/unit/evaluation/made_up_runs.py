"""Runs of `tailor eval` that nobody made: Parquet rows with seeded scores, and the results.json that they say."""

import hashlib
import json
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tailorlm.evaluation.rows import Row, write_part
from tailorlm.evaluation.runner_costs import Costs, break_evens, cumulative
from tailorlm.evaluation.scores import Answer
from tailorlm.evaluation.table import difference, harmed, intervals, summary
from tailorlm.toml_writing import dump

TASKS = ("lamp_1", "lamp_2m", "lamp_3", "lamp_4")
KIND = {"lamp_1": "label", "lamp_2m": "label", "lamp_3": "stars", "lamp_4": "text"}
SPLITS = ("random", "ood")
TEXT = "WHAT A USER WROTE"
"""Stands in every target and output: no page to share may hold it."""


@dataclass(frozen=True)
class Fake:
    """A method: its mean score, what it takes, and what decided its answers."""

    name: str
    level: float
    adapter: str = "none"
    context: str = "none"
    once: float = 0.0
    enrol: float = 0.0
    answer: float = 0.05
    memory: int = 2_000_000_000
    source: Mapping[str, Any] = field(default_factory=dict)
    contexts: Mapping[str, Any] = field(default_factory=dict)
    users: int = 0
    fails: int = 0
    making: float = 0.0
    kept: bool = True

    def about(self, data: Mapping[str, Any]) -> dict[str, Any]:
        source = {"adapter": self.adapter, "settings": {"seed": 0}, **self.source}
        return {"source": source, "context": self.context, "contexts": dict(self.contexts), "control": "", "seed": 0,
                "max_tokens": 512, "data": dict(data), "batch": 32}  # fmt: skip


def standard() -> tuple[Fake, ...]:
    return (
        Fake("floor_user", 0.33),
        Fake("base", 0.30),
        Fake("rag", 0.36, context="rag", contexts={"k": 2}, answer=0.09),
        Fake("mt_lora", 0.40, "mt_lora", once=900.0),
        Fake("p2p", 0.55, "p2p", once=2400.0, enrol=0.012),
        Fake("per_pcs", 0.42, "per_pcs", once=4000.0, enrol=31.0, memory=6_100_000_000),
        Fake("prime", 0.44, "prime", once=4000.0, enrol=95.0, memory=4_200_000_000),
        Fake("prisp", 0.50, "prisp", once=40.0, enrol=0.9, memory=2_600_000_000),
        Fake("oppu", 0.52, "oppu", once=900.0, enrol=4.1, memory=3_400_000_000, users=20),
    )


def lot(*what: object) -> random.Random:
    return random.Random(hashlib.sha256(repr(what).encode()).hexdigest())


def by_lot(fake: Fake, split: str, task: str, user: int) -> float:
    """A score around the method's level; how easy a user is is the same for all methods."""
    ease, chance = lot("user", user, split, task), lot(fake.name, fake.level, split, user, task)
    level = min(1.0, max(0.0, fake.level - 0.04 * (split == "ood") + 0.2 * (ease.random() - 0.5)))
    return float(chance.random() < level) if KIND[task] == "label" else round(level + 0.1 * (chance.random() - 0.5), 3)


Scored = Callable[[Fake, str, str, int], float]
"""(method, split, task, user's number) -> the score of the user's example."""


def level(fake: Fake, split: str, task: str, user: int) -> float:
    """The method's level, whoever asks."""
    return fake.level


def row(fake: Fake, split: str, task: str, user: int, scored: Scored = by_lot, text: str = TEXT) -> Row:
    score = scored(fake, split, task, user)
    failed = split == "random" and user < fake.fails
    return Row(
        example_id=f"{task}-{user}", user_id=f"{split}-{user:03}", task=task, method=fake.name, adapter=fake.adapter,
        context=fake.context, split=split, seed=0, history_items=3 + user * user // 20, target=text,
        output=None if failed else text, score=None if failed else min(1.0, max(0.0, score)),
        failure=f"no adapter for {split}-{user:03}" if failed else None,
        seconds=fake.answer, enrol_seconds=fake.enrol, prompt_tokens=120, new_tokens=6,
        context_tokens=80 if fake.context != "none" else 0, adapter_bytes=200_000 if fake.adapter != "none" else 0,
        kept_bytes=200_000 if fake.adapter not in ("none", "mt_lora") and fake.kept else 0,
        adapter_seconds=fake.making, peak_rss=fake.memory, peak_cuda=0,
    )  # fmt: skip


def metrics(task: str, scores: Sequence[float]) -> dict[str, float]:
    mean = sum(scores) / len(scores)
    named = {
        "label": {"accuracy": mean, "f1_macro": 0.9 * mean, "f1_weighted": 0.95 * mean},
        "stars": {"mae": 4 * (1 - mean) / 2, "rmse": 4 * (1 - mean) / 1.6},
        "text": {"rouge1": 0.5 * mean, "rougeL": 0.4 * mean},
    }
    return {**named[KIND[task]], "invalid": float(len(scores) // 30)}


def write_run(
    folder: Path, fakes: Sequence[Fake], data: Mapping[str, Any] | None = None, users: int = 40,
    tasks: Sequence[str] = TASKS, splits: Sequence[str] = SPLITS, extra: Mapping[str, Any] | None = None,
    scored: Scored = by_lot, text: str = TEXT,
) -> Path:  # fmt: skip
    """A run's folder: rows/, results.json and recipe.toml."""
    data = dict(data or {"train": "LaMP_2M", "dev": "LaMP_2M"})
    found: dict[str, dict[str, list[Row]]] = {}
    for fake in fakes:
        for split in splits:
            for task in tasks:
                made = [row(fake, split, task, user, scored, text) for user in range(fake.users or users)]
                found.setdefault(fake.name, {}).setdefault(split, []).extend(made)
                part = folder / "rows" / split / "seed-0" / fake.name / task / "part-00000.parquet"
                write_part(part, made, {"method": fake.about(data), "task": task, "split": split})
    (folder / "results.json").write_text(json.dumps(results(fakes, found, users, splits) | dict(extra or {})))
    (folder / "recipe.toml").write_text(dump({"seed": 0, "data": data}))
    return folder


def results(
    fakes: Sequence[Fake], found: Mapping[str, Mapping[str, list[Row]]], users: int, splits: Sequence[str]
) -> dict[str, Any]:
    answers = {name: {split: answered(rows) for split, rows in by.items()} for name, by in found.items()}
    costs = {name: {split: costs_of(rows) for split, rows in by.items()} for name, by in found.items()}
    once = {fake.name: fake.once for fake in fakes}
    each = {name: one for name in costs if not name.startswith("floor_")
            and (one := costs[name][splits[0]].cost(once[name])) is not None}  # fmt: skip
    whole = [fake.name for fake in fakes if not fake.users and not fake.fails]
    return {
        "methods": {name: {split: summary(rows) for split, rows in by.items()} for name, by in answers.items()},
        "intervals": {name: {s: intervals(rows, 200) for s, rows in by.items()} for name, by in answers.items()},
        "differences": {
            f"{a} - {b}": {s: difference(answers[a][s], answers[b][s], 200) for s in splits}
            for a, b in (("p2p", "base"), ("p2p", "mt_lora"), ("prisp", "base")) if {a, b} <= set(whole)
        },
        "attributes": {
            name: {split: {task: metrics(task, [row.score or 0.0 for row in rows if row.task == task])
                           for task in dict.fromkeys(row.task for row in rows)} for split, rows in by.items()}
            for name, by in found.items()
        },
        "harmed": {name: {s: harmed(answers[name][s], answers["base"][s]) for s in splits}
                   for name in whole if name != "base" and "base" in whole},
        "users": {**dict.fromkeys(splits, users), "train": 400, **{f.name: f.users for f in fakes if f.users}},
        "timing": {
            "seconds": {name: sum(one.seconds for one in by.values()) for name, by in costs.items()},
            "methods": {n: {s: one.table(once[n] or None) for s, one in by.items()} for n, by in costs.items()},
            "cumulative": cumulative(each, users), "break_even": break_evens(each),
        },
        "needs": {
            fake.name: {"task_data": fake.adapter in ("mt_lora", "oppu"), "user_training": fake.enrol > 0.5,
                        "other_users": fake.adapter in ("per_pcs", "prime")}
            for fake in fakes if not fake.name.startswith("floor_")
        },
        "failures": {
            fake.name: {splits[0]: failed(costs[fake.name][splits[0]], splits[0])} for fake in fakes if fake.fails
        },
        "seed": 0, "seeds": [0], "limit": 0, "commit": "a40df45", "machine": "x86_64, 2 threads", "dtype": "float32",
    }  # fmt: skip


def answered(rows: Sequence[Row]) -> list[Answer]:
    return [Answer(row.example_id, row.user_id, row.task, "", "", row.score) for row in rows if row.score is not None]


def failed(costs: Costs, split: str) -> dict[str, Any]:
    return {"rows": costs.rows, "failed": costs.failed, "reasons": {f"no adapter for {split}-000": costs.failed}}


def costs_of(rows: Sequence[Row]) -> Costs:
    costs = Costs()
    for one in rows:
        costs.add(one)
    return costs


def swept_k(folder: Path, scored: Scored = by_lot) -> list[Path]:
    """RAG and P2P with items, three values of k, a run each; a base beside them."""
    return [
        write_run(folder / f"k{k}", [
            Fake("base", 0.3), Fake("rag", 0.36 + 0.01 * k, context="rag", contexts={"k": k}),
            Fake("p2p", 0.55, "p2p", source={"settings": {"k": k, "seed": 0}}, enrol=0.01),
        ], scored=scored)
        for k in (1, 4, 16)
    ]  # fmt: skip


def swept_items(folder: Path, scored: Scored = by_lot) -> list[Path]:
    """PRISP and OPPU on 1, 5, 10 and all newest items."""
    return [
        write_run(folder / f"items{items}", [
            Fake("prisp", 0.4 + 0.02 * place, "prisp", source={"settings": {"items": {"items": items}}}, enrol=0.9),
            Fake("oppu", 0.38 + 0.01 * place, "oppu", source={"settings": {"items": {"items": items}}}, enrol=4.0),
        ], scored=scored)
        for place, items in enumerate((1, 5, 10, 0))
    ]  # fmt: skip


def swept_task_data(folder: Path, scored: Scored = by_lot) -> list[Path]:
    """OPPU and PRISP with no, 50 and all rows of task data."""
    return [
        write_run(folder / f"task{data}", [
            Fake("prisp", 0.45 + 0.02 * place, "prisp", source={"settings": {"task": {"data": data}}}, enrol=0.9),
            Fake("oppu", 0.35 + 0.07 * place, "oppu", source={"settings": {"task": {"data": data}}}, enrol=4.0),
        ], scored=scored)
        for place, data in enumerate((0, 50, "all"))
    ]  # fmt: skip


def swept_users(folder: Path, name: str, values: Sequence[int], scored: Scored = by_lot) -> list[Path]:
    """P2P on more and more training users, or kinds of them: splits that prepare.py made, in folders of any name."""
    return [
        write_run(folder / f"{name}-run-{value}", [Fake("base", 0.3), Fake("p2p", 0.5 + 0.02 * place, "p2p")],
                  {"train": "users.jsonl", "split": {"kind": "clusters", "file": f"{name}_{value}/split.json"}},
                  scored=scored)
        for place, value in enumerate(values)
    ]  # fmt: skip


def adapted(folder: Path, scored: Scored = by_lot) -> list[Path]:
    """PriME and Per-Pcs asked LaMP-2M, LaMP-3 and LaMP-4, with sharers of each of them."""
    names = {"lamp_2m": "LaMP_2M", "lamp_3": "LaMP_3", "lamp_4": "LaMP_4"}
    return [
        write_run(folder / f"{train}-{dev}", [
            Fake("prime", 0.75 if train == dev else 0.62, "prime", enrol=9.0),
            Fake("per_pcs", 0.72 if train == dev else 0.6, "per_pcs", enrol=9.0),
        ], {"train": names[train], "dev": names[dev]}, tasks=[dev], splits=["dev"], scored=scored)
        for train in names for dev in names
    ]  # fmt: skip


def described(folder: Path, scored: Scored = by_lot) -> Path:
    """Text-to-LoRA with three descriptions, and PRISP from each of these anchors."""
    texts = {"Choose one of 15 tags for a movie.": 0.45, "Find the fitting theme of each plot.": 0.42,
             "Identify movies in conversations of people who say which films they liked, and why.": 0.33}  # fmt: skip
    fakes = []
    for place, (text, level) in enumerate(texts.items()):
        anchor = {"adapter": "text_to_lora", "settings": {"descriptions": text, "seed": 0}}
        fakes += [
            Fake(f"t2l_{place}", level, "text_to_lora", source=anchor),
            Fake(f"prisp_{place}", 0.5 + 0.01 * place, "prisp", source={"start": anchor}, enrol=0.9),
        ]
    return write_run(folder / "described", fakes, tasks=["lamp_2m"], scored=scored)


def norms(layers: int = 28, steps: int = 40) -> dict[str, list[list[float]]]:
    return {
        name: [[0.1 + slope * layer * (1 + 1 / (1 + step)) for layer in range(layers)] for step in range(steps)]
        for name, slope in (("prisp", 0.03), ("prisp_no_bridge", 0.012))
    }
