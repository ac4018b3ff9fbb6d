"""`tailor eval`: base, MT-LoRA, P2P, P2P with shuffled profiles and floors on dev users, with intervals over users.

Trains what the run's folder does not have yet. Knows nothing of how answers are made (rows.py) or pages look.
Source: issue 2 sections 3 and 4.
"""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from tailorlm.adapters.batch import Adapters
from tailorlm.adapters.peft_config import read_config
from tailorlm.adapters.peft_files import load_peft
from tailorlm.assembly import build, runs
from tailorlm.assembly.datasets import People, people, task_of
from tailorlm.assembly.recipes import Recipe, method, read
from tailorlm.backbone.model import Backbone
from tailorlm.commands import rows
from tailorlm.commands.places import new_folder
from tailorlm.commands.quiet import no_bars_of_loading
from tailorlm.commands.result import Result, tell
from tailorlm.commands.training import out_of
from tailorlm.data.records import User
from tailorlm.evaluation.report import table_lines, write_report
from tailorlm.evaluation.scores import Answer
from tailorlm.evaluation.table import difference, harmed, intervals, summary
from tailorlm.tailor import Tailor

SPLIT = "dev"
COMPARED = (
    ("p2p", "base"), ("p2p", "mt_lora"), ("p2p", "p2p_shuffled"), ("p2p", "floor_user"), ("mt_lora", "base"),
    ("p2p_shuffled", "mt_lora"), ("base_profile", "base"),
)  # fmt: skip
Found = dict[str, list[Answer]]


def run(recipe: Path, overrides: Sequence[str], data: Path | None, out: Path | None, resume: bool) -> Result:
    """The table of the run in `out`; results.json, answers.jsonl and report.html beside it."""
    settings = read(recipe, overrides, data)
    folder = new_folder(out_of(recipe, out))
    no_bars_of_loading()
    everybody = people(settings.data, settings.seed)
    if len(everybody.dev) < 2:
        raise ValueError(f"{len(everybody.dev)} dev user has a query with an answer: intervals need at least 2")
    tailor = ready(settings, folder, resume)
    seconds: dict[str, float] = {}
    asking = rows.Asking(
        tailor, {user.id: user for user in everybody.dev}, everybody.queries, settings.eval.batch,
        settings.eval.users_at_once, {},
    )  # fmt: skip
    found = measured(settings, folder, asking, everybody.train, seconds)
    result = results(settings, asking, found, seconds, everybody)
    runs.write_json(folder / "results.json", result)
    write_answers(folder / "answers.jsonl", asking, found)
    write_report(folder)
    return Result({"run": str(folder), **result}, [*table_lines(result), "", *compared(result), *about(folder, result)])


def ready(settings: Recipe, folder: Path, resume: bool) -> Tailor:
    """The folder's network; trained now if it is not there."""
    if (folder / build.CHECKPOINT / "config.json").exists():
        runs.open_run(folder, settings)
    else:
        tell(f"no checkpoint in {folder} yet: training")
        build.train(settings, folder, resume)
    return Tailor.from_pretrained(
        folder / build.CHECKPOINT, device=settings.base.device, dtype=settings.base.dtype,
        cache=settings.encoder.cache or None, endpoint=settings.profile.endpoint,
    )  # fmt: skip


def measured(
    settings: Recipe, folder: Path, asking: rows.Asking, train: Sequence[User], seconds: dict[str, float]
) -> Found:
    """The answers of every row that the recipe names, and of the floors."""
    found = {name: rows.scored(asking, outputs) for name, outputs in rows.floors(asking, train).items()}
    one = shared_lora(folder / build.SHARED, asking.tailor.bench.backbone)
    ways: dict[str, Callable[[rows.Asking], list[str]]] = {
        "base": lambda asking: rows.shared(asking, None),
        "base_profile": rows.told,
        "mt_lora": lambda asking: rows.shared(asking, one),
        "p2p": rows.tailored,
        "p2p_shuffled": lambda asking: rows.tailored(asking, settings.seed),
        "oppu": lambda asking: rows.trained(asking, method(settings, "oppu"), one),
    }
    for name in settings.eval.rows:
        own = few(asking, settings.eval.oppu_users) if name == "oppu" else asking
        tell(f"{name}: {len(own.queries)} queries of {len(own.users)} users")
        start = time.perf_counter()
        found[name] = rows.scored(own, ways[name](own))
        seconds[name] = round(time.perf_counter() - start, 2)
    return found


def few(asking: rows.Asking, count: int) -> rows.Asking:
    """The first `count` users and their queries."""
    users = dict(list(asking.users.items())[:count])
    return replace(asking, users=users, queries=[query for query in asking.queries if query.user_id in users])


def shared_lora(folder: Path, backbone: Backbone) -> Adapters:
    """MT-LoRA as training saved it."""
    return load_peft(folder, backbone.sites(read_config(folder).targets)).to(backbone.device)


def results(
    settings: Recipe, asking: rows.Asking, found: Found, seconds: Mapping[str, float], everybody: People
) -> dict[str, Any]:
    """What results.json holds, in the form that the report reads."""
    draws, tuned = settings.eval.resamples, {answer.user_id for answer in found.get("oppu", [])}
    whole = {name: answers for name, answers in found.items() if len(answers) == len(asking.queries)}
    pairs = [(a, b) for a, b in COMPARED if a in whole and b in whole]
    same = {name: summary([row for row in answers if row.user_id in tuned]) for name, answers in found.items() if tuned}
    return {
        "methods": {name: {SPLIT: summary(answers)} for name, answers in found.items()},
        "intervals": {name: {SPLIT: intervals(answers, draws, settings.seed)} for name, answers in found.items()},
        "differences": {f"{a} - {b}": {SPLIT: difference(whole[a], whole[b], draws, settings.seed)} for a, b in pairs},
        "attributes": {name: {SPLIT: metrics(asking, answers)} for name, answers in found.items()},
        "harmed": {
            name: {SPLIT: harmed(answers, whole["base"])}
            for name, answers in whole.items()
            if "base" in whole and name != "base"
        },
        "same_users": same,
        "users": {SPLIT: len(asking.users), "train": len(everybody.train), "oppu": len(tuned)},
        "queries": len(asking.queries),
        "timing": {"seconds": dict(seconds)},
        "profiles_not_used_in_whole": len(asking.notes),
        "dtype": str(asking.tailor.bench.backbone.dtype).removeprefix("torch."),
        **runs.provenance(settings.seed),
    }


def metrics(asking: rows.Asking, answers: Sequence[Answer]) -> dict[str, dict[str, float]]:
    """What each task's own metrics say."""
    found = {}
    for task in asking.tasks():
        name = rows.name_of(task)
        own = [answer for answer in answers if answer.task == name]
        said = task_of(task).metrics
        found[name] = said([a.output for a in own], [a.target for a in own]) if own else {}
    return found


def compared(result: Mapping[str, Any]) -> list[str]:
    """The differences in points, with their intervals."""
    return [
        f"{pair}, {task}: {100 * d['mean']:+.1f} ({100 * d['low']:+.1f} to {100 * d['high']:+.1f})"
        for pair, by in result["differences"].items()
        for task, d in by[SPLIT].items()
        if task != "average" or len(by[SPLIT]) > 2
    ]


def about(folder: Path, result: Mapping[str, Any]) -> list[str]:
    """Where it all is, and what to know about it."""
    odd = result["profiles_not_used_in_whole"]
    said = [f"{odd} users' profiles say things that the network was not trained on; left out"] if odd else []
    return ["", *said, f"{folder}: results.json, answers.jsonl, report.html (commit {result['commit']})"]


def write_answers(path: Path, asking: rows.Asking, found: Found) -> None:
    """A line a query with every row's answer: users' text, readable by its owner only."""
    said = {name: {answer.example_id: answer.output for answer in answers} for name, answers in found.items()}
    profiles = {task: rows.profiles_of(asking, task) for task in asking.tasks()}
    lines = [
        {
            "split": SPLIT, "user_id": query.user_id, "task": rows.name_of(query.task), "input": query.input,
            "target": query.target,
            "profile": [one.text for one in profiles[query.task][query.user_id].statements],
            "outputs": {name: by[query.id] for name, by in said.items() if query.id in by},
        }
        for query in asking.queries
    ]  # fmt: skip
    runs.write(path, "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines))
