"""Personal Reddit's JSONL: {"user_id", "personality": {...}, "question_asked", "response"} -> a Dataset.

Knows nothing of prompts. Source: P2P section 4.1; Staab et al., 2023.

Decisions
- question_asked -> response; which rows are queries: `answers.py`.
- `User.profile` is `personality`, one `name: value` a line: a GIVEN profile, with sensitive traits in it.
- `feature`, `hardness` and `subset` are about the other study's attack and are ignored.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

from .answers import Answer, split
from .fields import ident, label, required, table, text
from .history import interaction
from .lines import objects
from .problems import Faults, FieldError, OnError, Place, Report
from .records import Dataset

TASK = "personal_reddit"
KEYS = frozenset({"user_id", "personality", "question_asked", "response"})


def read_reddit(path: str | Path, on_error: OnError = "stop", report: Report | None = None) -> Dataset:
    """Users and queries of a Personal Reddit file; DataError as `problems.py` says."""
    faults = Faults(on_error, report)
    return split(_answers(Path(path), faults), faults)


def _answers(path: Path, faults: Faults) -> Iterator[Answer]:
    for place, line in objects(path, faults):
        try:
            answer = _answer(line, place)
        except FieldError as error:
            faults.add(place, error.field, error.reason)
        else:
            yield answer


def _answer(line: Mapping[str, object], place: Place) -> Answer:
    name = ident(required(line, "user_id", "user_id"), "user_id")
    said = text(required(line, "question_asked", "question_asked"), "question_asked")
    given = text(required(line, "response", "response"), "response")
    profile = _described(table(required(line, "personality", "personality"), "personality"))
    return Answer(place, name, profile, interaction(said, given, None, TASK, "response"))


def _described(personality: Mapping[str, object]) -> str:
    known = {name: value for name, value in personality.items() if value is not None}
    lines = [f"{name.replace('_', ' ')}: {label(value, 'personality')}" for name, value in known.items()]
    return text("\n".join(lines), "personality")
