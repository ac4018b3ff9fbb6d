"""Files of our JSONL as tests write them, and how they are read: left out or stopped at."""

import json
from pathlib import Path

import pytest

from tailorlm.data.jsonl import read_users
from tailorlm.data.problems import DataError, Report
from tailorlm.data.records import User

CANARY = "zebra-secret"
GOOD = {"user_id": "u1", "history": [{"input": "a", "output": "b"}]}


def item(**changes: object) -> dict[str, object]:
    return {"input": CANARY, "output": CANARY} | changes


def user(id: str = "u", *history: object, **more: object) -> dict[str, object]:
    return {"user_id": id, "history": list(history) or [item()]} | more


def write(path: Path, *rows: object) -> Path:
    text = "\n".join(row if isinstance(row, str) else json.dumps(row) for row in rows)
    path.write_text(text + "\n", encoding="utf-8", newline="")
    return path


def skipped(path: Path) -> tuple[list[User], Report]:
    report = Report()
    return [user for user, _ in read_users(path, "skip", report)], report


def stops(path: Path) -> DataError:
    with pytest.raises(DataError) as caught:
        list(read_users(path))
    assert CANARY not in str(caught.value)
    return caught.value
