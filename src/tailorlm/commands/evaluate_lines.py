"""What `tailor eval` says below its tables: differences, failures, and where it all is.

Knows nothing of how any of it was found.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any


def differences(result: Mapping[str, Any]) -> list[str]:
    """The differences in points, with their intervals."""
    splits = {split for by in result["differences"].values() for split in by}
    return [
        f"{pair}, {f'{split}, ' if len(splits) > 1 else ''}{task}: "
        f"{100 * d['mean']:+.1f} ({100 * d['low']:+.1f} to {100 * d['high']:+.1f})"
        for pair, by in result["differences"].items()
        for split, tasks in by.items()
        for task, d in tasks.items()
        if task != "average" or len(tasks) > 2
    ]


def failures(result: Mapping[str, Any]) -> list[str]:
    """Which methods failed where, and why."""
    return [
        f"FAILED {name}, {split}: {found['failed']:,} of {found['rows']:,} rows: {'; '.join(found['reasons'])}"
        for name, by in result["failures"].items()
        for split, found in by.items()
    ]


def about(folder: Path, result: Mapping[str, Any]) -> list[str]:
    """Where it all is, and what to know about it."""
    odd = result["profiles_not_used_in_whole"]
    said = [f"note: {what}: {count:,}" for what, count in result["data_notes"].items()]
    said += [f"{odd} users' profiles say things that a network was not trained on; left out"] if odd else []
    return ["", *said, f"{folder}: results.json, rows/, answers.jsonl, report.html (commit {result['commit']})"]
