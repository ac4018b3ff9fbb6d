"""The tables of what methods need and take: data, training, seconds, bytes; failures, invalid answers, harm, drift.

Knows nothing of the page around them. Source: PRISP table 2 (shared parameters, task data); issue 4 (the same
measures for all).
"""

from collections.abc import Callable, Mapping
from typing import Any

from tailorlm.evaluation.grids import Cell, Grid
from tailorlm.evaluation.names import in_order, split_name
from tailorlm.evaluation.quantities import DASH, duration, rounded, size
from tailorlm.evaluation.report_merge import Board, by_run
from tailorlm.evaluation.results import Results
from tailorlm.evaluation.tables import named_row

WORSE, DRIFT, INVALID, FAILED = "{}: worse off", "Drift (nats per token)", "Invalid answers", "Failed rows"
OTHERS, NONE = (DRIFT, INVALID, FAILED), "0"
"""Columns of the table of harm, and what no failed row is."""
NEEDS = {
    "task_data": "Data of the task",
    "other_users": "Other users' parameters",
    "user_training": "Training for each user",
}
MEASURES: tuple[tuple[str, str, Callable[[float], str]], ...] = (
    ("prepare_seconds", "Once", duration),
    ("enrol_seconds_per_user", "To enrol a user", duration),
    ("seconds_per_instance", "To answer once", duration),
    ("prompt_tokens_per_instance", "Tokens of a prompt", rounded),
    ("context_tokens_per_instance", "of these context", rounded),
    ("new_tokens_per_instance", "Tokens of an answer", rounded),
    ("adapter_bytes", "Adapter", size),
    ("kept_bytes_per_user", "Kept of a user", size),
    ("peak_rss_bytes", "Peak memory", size),
    ("peak_cuda_bytes", "Peak memory, GPU", size),
)
"""What was measured, its column, and how it is said."""


def needs_table(results: Results) -> Grid | None:
    """What each method must be given; None where the runs do not say."""
    rows = [
        named_row(results, name, (needed(results.needs[name].get(need)) for need in NEEDS))
        for name in in_order(results.needs)
    ]
    return Grid("What each method needs", ("Method", *NEEDS.values()), tuple(rows)) if rows else None


def needed(need: bool | None) -> Cell:
    """Whether something is needed, in a word."""
    return Cell() if need is None else Cell("needed" if need else "no")


def harm_table(board: Board) -> Grid | None:
    """Users worse off than with the base, drift, invalid answers and failures; columns without numbers are left out.

    Where runs differ in any of these, a row a run.
    """
    found = by_run(board.runs, board.named, harm)
    odd = any(FAILED in values and values[FAILED] != NONE for values in found.values())
    heads = dict.fromkeys(head for values in found.values() for head in values if odd or head != FAILED)
    splits = {WORSE.format(split_name(split)): place for place, split in enumerate(board.results.splits())}
    shown = sorted(heads, key=lambda head: (splits.get(head, len(splits)), OTHERS.index(head) if head in OTHERS else 0))
    rows = [
        named_row(board.results, name, (Cell(found[name].get(head, DASH)) for head in shown))
        for name in in_order(found) if any(head in found[name] for head in shown)
    ]  # fmt: skip
    return Grid("For whom it is worse, and what goes wrong", ("Method", *shown), tuple(rows)) if rows else None


def harm(results: Results) -> dict[str, dict[str, str]]:
    """By method what a run says of harm and faults, by column."""
    names = {*results.methods, *results.failures, *results.harmed, *results.drift}
    return {name: told for name in names if (told := harm_of(results, name))}


def harm_of(results: Results, name: str) -> dict[str, str]:
    """The columns of a method that have a number."""
    shares, drift, invalid = results.harmed.get(name, {}), results.drift.get(name), results.invalid(name)
    odd, rows = results.failed(name)
    return {
        **{WORSE.format(split_name(split)): percent(shares[split]) for split in results.splits() if split in shares},
        **({DRIFT: f"{drift:.4f}"} if drift is not None else {}),
        **({INVALID: f"{invalid:,}"} if invalid is not None else {}),
        FAILED: f"{odd:,} of {rows:,}" if rows else NONE,
    }


def percent(share: float | None) -> str:
    """A share 0..1 in percent, or a dash."""
    return DASH if share is None else f"{100 * share:.1f}%"


def cost_tables(results: Results) -> list[Grid]:
    """What each method took, a table a split; columns that nobody measured are left out."""
    found: Mapping[str, Mapping[str, Mapping[str, Any]]] = results.timing.get("methods") or {}
    made = []
    for split in results.splits():
        taken = {name: found[name][split] for name in in_order(found) if split in found[name]}
        shown = [one for one in MEASURES if any(row.get(one[0]) for row in taken.values())]
        rows = [
            named_row(results, name, (Cell(DASH if row.get(key) is None else say(row[key])) for key, _, say in shown))
            for name, row in taken.items()
        ]
        if rows and shown:
            title = f"{split_name(split)}: what each method takes"
            made.append(Grid(title, ("Method", *(head for _, head, _ in shown)), tuple(rows), "costs"))
    return made
