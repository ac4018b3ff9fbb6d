"""How far a method moves the model on neutral prompts: impersonal questions, asked with unseen users' adapters.

Knows nothing of how adapters were made. Source: issue 2 section 3.
"""

import random
from collections.abc import Sequence

import torch

from tailorlm.backbone.inject import Injector
from tailorlm.backbone.prompt import encode_row
from tailorlm.backbone.rows import Row
from tailorlm.demo.population import TASKS, impersonal
from tailorlm.evaluation import neutral
from tailorlm.methods.source import Bench, Roster


def neutral_rows(bench: Bench, count: int, seed: int) -> list[Row]:
    """`count` impersonal questions of all tasks with their right answers."""
    rng = random.Random(f"{seed}/neutral")
    rows = []
    for number in range(count):
        task = TASKS[number % len(TASKS)]
        asked, answer = impersonal(task, rng)
        prompt = bench.task_of(task).prompt(asked)
        rows.append(encode_row(bench.backbone.tokenizer, prompt, answer, bench.max_tokens, f"neutral-{number}"))
    return rows


def neutral_drift(bench: Bench, injector: Injector, roster: Roster, rows: Sequence[Row]) -> float:
    """Mean KL(base || adapted) in nats a token of the answers; row i is asked with adapter i modulo their number."""
    if roster.adapters is None:
        return 0.0
    return neutral.neutral_drift(bench.backbone, injector, roster.adapters, torch.arange(len(roster.adapters)), rows)
