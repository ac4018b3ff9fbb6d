"""Paired differences of the judge's marks between methods, drawing users.

A pair is one question, of one seed, with a score on both sides; what has none stays out of both, and is counted. Knows
nothing of models or pages. Source: issue 4 (LLM judge; paired bootstrap over users); metrics/bootstrap.
"""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from tailorlm.evaluation.names import in_order
from tailorlm.evaluation.runner_judge_marks import FAULTS, Asked, Marks
from tailorlm.evaluation.runner_results import pairs
from tailorlm.evaluation.table import AVERAGE, difference

PAIRS, ALONE = "pairs", "alone"
LEFT_OUT = (*FAULTS, ALONE)
"""Why a judgement is in no pair: it, or the other method's, is none; or the other method gave no answer to judge."""
Found = Mapping[str, Mapping[str, Marks]]
"""Judgements by method and split."""


def differences(found: Found, resamples: int, seed: int) -> dict[str, Any]:
    """ "a - b" by split and task, for the methods whose scores are compared; without a base, against the first one."""
    reference = "base" if "base" in found else next(iter(in_order(found)), "")
    made: dict[str, Any] = {}
    for a, b in pairs(found, reference):
        for split in found.get(a, {}).keys() & found.get(b, {}).keys():
            made.setdefault(f"{a} - {b}", {})[split] = compared(found[a][split], found[b][split], resamples, seed)
    return made


def compared(a: Marks, b: Marks, resamples: int, seed: int) -> dict[str, dict[str, float]]:
    """By task how many pairs there are and what is in none; with `mean`, `low`, `high` where users can be drawn, and
    then under "average", too, where every one of several tasks has them.
    """
    both = a.scores.keys() & b.scores.keys()
    drawn = difference(a.answers(both), b.answers(both), resamples, seed) if both else {}
    counts = counted(a, b)
    by: dict[str, dict[str, float]] = {task: {**counts[task], **drawn.get(task, {})} for task in sorted(counts)}
    whole = len(by) > 1 and all(task in drawn for task in (*by, AVERAGE))
    return by | ({AVERAGE: drawn[AVERAGE]} if whole else {})


def counted(a: Marks, b: Marks) -> dict[str, dict[str, int]]:
    """By task the number of pairs, and of what is in none."""
    every = {*a.scores, *a.faults, *b.scores, *b.faults}
    found = Counter((asked[2], kind(a, b, asked)) for asked in every)
    return {task: {name: found[task, name] for name in (PAIRS, *LEFT_OUT)} for task in {asked[2] for asked in every}}


def kind(a: Marks, b: Marks, asked: Asked) -> str:
    """Whether a question is a pair, or why it is none: the first reason of LEFT_OUT that holds."""
    if asked in a.scores and asked in b.scores:
        return PAIRS
    faults = {a.faults.get(asked), b.faults.get(asked)}
    return next((name for name in FAULTS if name in faults), ALONE)
