"""The study's numbers from its replies: shares of right answers, their parts, paired differences, and the table.

Knows nothing of models. Every task counts the same; intervals draw tasks (metrics/bootstrap).
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tailorlm.demo.small_tasks import SmallTask
from tailorlm.demo.task_study_asking import Found, Reply
from tailorlm.evaluation.scores import attributes
from tailorlm.metrics.bootstrap import paired_bootstrap

AGAINST = (
    ("t2l", "mt_lora"), ("t2l", "base_description"), ("t2l_additive", "t2l"), ("t2l_z_score", "t2l"),
    ("t2l_delta_w", "t2l"), ("lora_per_task", "t2l"),
)  # fmt: skip


def results(found: Found, tasks: Sequence[SmallTask]) -> dict[str, Any]:
    """Everything that follows from the replies alone; shares are in 0..1."""
    return {
        "exact": _each(found, exact),
        "parts": _each(found, parts),
        "families": _each(found, by_family),
        "differences": {f"{a} - {b}": against(found, a, b) for a, b in AGAINST if a in found and b in found},
        "right above wrong description": {m: spread for m, by in found.items() if (spread := told_right(by))},
        "counts": {split: sum(task.split == split for task in tasks) for split in ("seen", "composed", "new")},
    }


def _each(found: Found, measure: Any) -> dict[str, dict[str, Any]]:
    return {m: {condition: measure(replies) for condition, replies in by.items()} for m, by in found.items()}


def exact(replies: Sequence[Reply]) -> float:
    """Mean share of right answers, each task counting the same."""
    return mean([mean([reply.right for reply in own]) for own in grouped(replies, "task").values()])


def by_family(replies: Sequence[Reply]) -> dict[str, float]:
    """`exact` of each family."""
    return {family: exact(own) for family, own in grouped(replies, "family").items()}


def parts(replies: Sequence[Reply]) -> float:
    """Mean over families of the share of attributes of style that are right (labels: of answers that are)."""
    shares = []
    for family, own in grouped(replies, "family").items():
        found = attributes(family, [reply.output for reply in own], [reply.target for reply in own])
        shares.append(mean(list(found.values())) if found else exact(own))
    return mean(shares)


def against(found: Found, a: str, b: str) -> dict[str, dict[str, float]]:
    """a minus b under each condition that both have, with 95% intervals over tasks."""
    return {
        condition: difference(found[a][condition], found[b][condition])
        for condition in found[a]
        if condition in found[b]
    }


def told_right(by: Mapping[str, Sequence[Reply]]) -> dict[str, float]:
    """The right description above another task's, on the same queries; {} where either was not asked."""
    if not {"seen", "wrong"} <= by.keys():
        return {}
    asked = {reply.example_id for reply in by["wrong"]}
    return difference([reply for reply in by["seen"] if reply.example_id in asked], by["wrong"])


def difference(a: Sequence[Reply], b: Sequence[Reply]) -> dict[str, float]:
    """Mean of a minus b over the same queries. ValueError where they differ."""
    right = {reply.example_id: reply.right for reply in b}
    if sorted(right) != sorted(reply.example_id for reply in a):
        raise ValueError("two methods are compared on different queries")
    names = [reply.task for reply in a]
    if len(set(names)) < 2:
        return {"mean": mean([x.right - right[x.example_id] for x in a])}
    drawn = paired_bootstrap([x.right for x in a], [right[x.example_id] for x in a], names, resamples=1000)
    return {"mean": drawn.mean, "low": drawn.low, "high": drawn.high}


def grouped(replies: Sequence[Reply], what: str) -> dict[str, list[Reply]]:
    """The replies by their `task` or `family`, sorted."""
    found: dict[str, list[Reply]] = {}
    for reply in replies:
        found.setdefault(getattr(reply, what), []).append(reply)
    return dict(sorted(found.items()))


def mean(values: Sequence[float]) -> float:
    """The mean of some numbers."""
    return sum(values) / len(values)


def write_replies(path: Path, found: Found) -> None:
    """A line a reply: method, condition, query, what was said and what is right. Generated texts: nobody's own."""
    with path.open("w", encoding="utf-8") as file:
        for method, by in found.items():
            for condition, replies in by.items():
                for reply in replies:
                    line = {"method": method, "condition": condition, **asdict(reply)}
                    file.write(json.dumps(line, ensure_ascii=False) + "\n")


def table(result: Mapping[str, Any]) -> list[str]:
    """A Markdown table of `exact` in points of 100: a row a method, a column a condition."""
    rows = result["exact"]
    columns = list(dict.fromkeys(condition for by in rows.values() for condition in by))
    lines = [f"| method | {' | '.join(columns)} |", "|---" * (len(columns) + 1) + "|"]
    for method, by in rows.items():
        cells = [f"{100 * by[condition]:.1f}" if condition in by else "-" for condition in columns]
        lines.append(f"| {method} | {' | '.join(cells)} |")
    return lines
