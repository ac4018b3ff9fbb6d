"""The demo's numbers from its answers: scores, intervals, differences, targets; and the files that keep them.

Knows nothing of models. `results.json` and `answers.jsonl` are what the report reads.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tailorlm.data.records import Example
from tailorlm.evaluation.scores import Answer
from tailorlm.evaluation.table import difference, harmed, intervals, summary
from tailorlm.methods.source import Bench
from tailorlm.profiles.profile import Profile

Found = dict[str, dict[str, list[Answer]]]
"""Method -> split -> answers."""
COMPARED = (
    ("p2p", "base"), ("p2p", "mt_lora"), ("p2p", "floor_user"), ("p2p", "p2p_shuffled"), ("p2p", "p2p_neighbour"),
    ("p2p_shuffled", "mt_lora"), ("base_profile", "base"), ("p2p_paper", "base"), ("p2p", "oppu"), ("oppu", "base"),
)  # fmt: skip


def numbers(bench: Bench, found: Found) -> dict[str, Any]:
    """Everything that follows from the answers alone."""
    return {
        "methods": _each(found, summary),
        "intervals": _each(found, intervals),
        "differences": {f"{a} - {b}": _paired(found, a, b) for a, b in COMPARED if a in found and b in found},
        "attributes": _each(found, lambda rows: attributes(bench, rows)),
        "harmed": {m: {s: harmed(*common(rows, found["base"][s])) for s, rows in by.items() if s in found["base"]}
                   for m, by in found.items() if m != "base"},
    }  # fmt: skip


def _each(found: Found, measure: Any) -> dict[str, dict[str, Any]]:
    return {method: {split: measure(rows) for split, rows in by.items()} for method, by in found.items()}


def _paired(found: Found, a: str, b: str) -> dict[str, Any]:
    both = {split: common(rows, found[b][split]) for split, rows in found[a].items() if split in found[b]}
    return {split: difference(*pair) for split, pair in both.items()}


def common(a: Sequence[Answer], b: Sequence[Answer]) -> tuple[list[Answer], list[Answer]]:
    """The answers to the queries that both methods were asked: OPPU serves some of the users only."""
    asked = {row.example_id for row in a} & {row.example_id for row in b}
    return [row for row in a if row.example_id in asked], [row for row in b if row.example_id in asked]


def attributes(bench: Bench, rows: Sequence[Answer]) -> dict[str, dict[str, float]]:
    """Per task what its metrics say beside the score."""
    tasks = sorted({row.task for row in rows})
    picked = {task: [row for row in rows if row.task == task] for task in tasks}
    return {
        task: bench.task_of(task).metrics([row.output for row in own], [row.target for row in own])
        for task, own in picked.items()
    }


def same_users(found: Found, users: Sequence[str]) -> dict[str, dict[str, float]]:
    """Every method's scores on the `random` queries of `users` alone: what OPPU's row is compared with."""
    wanted = set(users)
    picked = {m: [row for row in by.get("random", []) if row.user_id in wanted] for m, by in found.items()}
    return {method: summary(rows) for method, rows in picked.items() if rows}


def targets(result: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What the demo must show (issue 2), in points of 100, and whether this run does; the worse split decides."""
    gaps = result["differences"]
    same = {name: row["average"] for name, row in result["same_users"].items()}
    average = {name: [100 * row["average"] for row in by.values()] for name, by in result["methods"].items()}
    fall = average["p2p"][0] - average["p2p"][-1]
    share = 100 * (same["p2p"] - same["base"]) / max(1e-9, same["oppu"] - same["base"])
    shuffled = [-gap for gap in _minus(average, "p2p_shuffled", "mt_lora")]
    told = _minus(average, "base_profile", "base")
    plain = [100 * share for task, share in result["impersonal"].items() if task != "average"]
    off = 1e6 * result["export"]["largest_difference"]
    return [
        _target("P2P above base", "at least 20", _minus(average, "p2p", "base"), 20),
        _target("P2P above MT-LoRA", "at least 15", _minus(average, "p2p", "mt_lora"), 15),
        _target("P2P above MT-LoRA on every task, low end", "above 0", _lows(gaps["p2p - mt_lora"]), 1e-9),
        _target("P2P above the user's floor on every task, low end", "above 0", _lows(gaps["p2p - floor_user"]), 1e-9),
        _target("shuffled profiles above MT-LoRA", "at most 3", shuffled, -3),
        _target("random above ood", "at most 10", [-fall], -10),
        _target("% of OPPU's gain over base, same users", "at least 60", [share], 60),
        _target("base with the profile in its prompt above base", "at least 10", told, 10),
        _target("base right on impersonal questions, % of the worst task", "at least 90", plain, 90),
        _target("logits of exported adapters in PEFT, millionths off ours", "at most 100", [-off], -100),
    ]


def _minus(average: Mapping[str, Sequence[float]], a: str, b: str) -> list[float]:
    return [x - y for x, y in zip(average[a], average[b], strict=True)]


def _lows(gap: Mapping[str, Any]) -> list[float]:
    return [100 * row["low"] for by in gap.values() for task, row in by.items() if task != "average"]


def _target(what: str, wanted: str, got: Sequence[float], least: float) -> dict[str, Any]:
    """`got` counts upwards (limits from above come negated); the worst of it decides."""
    worst = min(got)
    return {"what": what, "wanted": wanted, "got": f"{-worst if least < 0 else worst:.1f}", "met": worst >= least}


def write_answers(
    path: Path, found: Found, queries: Mapping[str, Sequence[Example]], profiles: Mapping[str, Profile]
) -> None:
    """A line a query: its profile in words and every method's answer."""
    with path.open("w", encoding="utf-8") as file:
        for split, asked in queries.items():
            said = {m: {row.example_id: row.output for row in by.get(split, [])} for m, by in found.items()}
            for query in asked:
                outputs = {method: rows[query.id] for method, rows in said.items() if query.id in rows}
                statements = [s.text for s in profiles[query.user_id].statements]
                line = {"split": split, "user_id": query.user_id, "task": query.task, "input": query.input,
                        "target": query.target, "profile": statements, "outputs": outputs}  # fmt: skip
                file.write(json.dumps(line, ensure_ascii=False) + "\n")
    path.chmod(0o600)
