"""`tailor data check`: what is in a file or folder of users, in numbers. Knows nothing of models."""

from pathlib import Path
from typing import Any, Literal

from tailorlm.commands.places import users_in
from tailorlm.commands.result import OK, WRONG_INPUT, Result, columns, counted


def run(path: Path, on_error: Literal["stop", "skip"], split: str | None) -> Result:
    """Counts, lengths and problems. The code is 2 where there are problems; DataError with on_error "stop"."""
    from tailorlm.assembly.usable import watched
    from tailorlm.data.describe import describe
    from tailorlm.data.load import stream
    from tailorlm.data.problems import Report

    report = Report()
    found = describe(watched(stream(users_in(path), on_error, report, split), report), report)
    code = WRONG_INPUT if report.count or not found["users"] else OK
    return Result({"path": str(path), **found}, lines(str(path), found), code)


def lines(path: str, found: dict[str, Any]) -> list[str]:
    """The description for people."""
    return [path, *_counts(found), *_spreads(found), *_tasks(found["tasks"]), *_problems(found)]


def _counts(found: dict[str, Any]) -> list[str]:
    rows = [[name.replace("_", " "), f"{value:,}"] for name, value in found.items() if isinstance(value, int)]
    return columns(rows)


def _spreads(found: dict[str, Any]) -> list[str]:
    names = {
        "history": "items a user", "input_chars": "characters an input", "output_chars": "characters an output",
        "query_input_chars": "characters a query", "query_output_chars": "characters an answer",
    }  # fmt: skip
    rows = [
        [said, *(f"{found[name][k]:,}" for k in ("min", "median", "max"))]
        for name, said in names.items()
        if found[name]
    ]
    return ["", *columns([["", "least", "median", "most"], *rows])] if rows else []


def _tasks(tasks: dict[str, Any]) -> list[str]:
    said = [""] if tasks else []
    for name, task in tasks.items():
        said.append(f"task {name or '(none named)'}: {task['interactions']:,} items, {task['queries']:,} queries")
        labels = task["interaction_labels"] or task["query_labels"]
        if labels:
            said.append("  labels: " + ", ".join(f"{label} {count}" for label, count in labels.items()))
    return said


def _problems(found: dict[str, Any]) -> list[str]:
    problems = found["problems"]
    notes = [f"note: {what}: {count}" for what, count in problems["notes"].items()]
    if not problems["count"]:
        return ["", *notes, "no problems" if found["users"] else "no users: nothing can be done with this file"]
    more = problems["count"] - len(problems["first"])
    rest = [f"... and {more} more"] if more else []
    return ["", *notes, f"{counted(problems['count'], 'problem')}, left out:", *problems["first"], *rest]
