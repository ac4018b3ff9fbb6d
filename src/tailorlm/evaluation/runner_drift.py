"""Drift on neutral prompts of the users whom an evaluation enrols: a file a row, and the numbers in results.json.

Measured once for rows that share a source, when the first users of the first split have been enrolled, with the
adapters that answer a question of each; a row without adapters has none. Knows nothing of how drift is measured
(neutral.py) or how adapters are made. Source: issue 4 (drift on neutral prompts).
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tailorlm.assembly.drifting import DriftSettings
from tailorlm.assembly.runs import write_json
from tailorlm.assembly.sources import Prepared
from tailorlm.data.records import Example
from tailorlm.evaluation.neutral import Neutral, digest, neutral_drift, neutral_rows, read_neutral
from tailorlm.evaluation.plan import Chunk, Method, Plan, Way
from tailorlm.evaluation.rows import make_private
from tailorlm.evaluation.runner_desk import Desk
from tailorlm.methods.source import Roster

FOLDER = "drift"


@dataclass(frozen=True)
class Asked:
    """Whom drift is asked of, and what."""

    users: int
    prompts: tuple[Neutral, ...]

    @staticmethod
    def of(settings: DriftSettings) -> "Asked":
        """As the recipe says. ValueError for a file of prompts that is none."""
        return Asked(settings.users, read_neutral(Path(settings.prompts)) if settings.prompts else read_neutral())

    def about(self) -> dict[str, Any]:
        """What was asked, without its words."""
        return {"users": self.users, "prompts": len(self.prompts), "digest_of_prompts": digest(self.prompts)}

    def drift(self, said: Mapping[str, Any]) -> float | None:
        """The drift in what is kept of a source; None where there is none, or it is of other prompts or users."""
        same = all(said.get(name) == value for name, value in self.about().items())
        return said.get("drift") if same else None


@dataclass(frozen=True)
class Drifting:
    """Measures and keeps, below `run`, the drift of what `prepare` gives, for each of the `methods` that share it."""

    run: Path
    desk: Desk
    prepare: Callable[[], Prepared]
    methods: Sequence[Method]
    seed: int
    asked: Asked

    def __call__(self, chunk: Chunk, rosters: Sequence[Roster]) -> None:
        """Write the drift of these users' adapters, if it is theirs that count; or why there is none."""
        if not self.asked.users or chunk.number or chunk.split != next(iter(self.desk.splits)):
            return
        try:
            found = self.measured(chunk, rosters)
        except Exception as error:  # as with rows: what fails says why, and the rest goes on
            found = {"failure": self.desk.reason(error)}
        for method in self.methods:  # any of them may go
            path = file(self.run, method.name, self.seed)
            make_private(path.parent)
            write_json(path, {**self.asked.about(), **found})

    def measured(self, chunk: Chunk, rosters: Sequence[Roster]) -> dict[str, Any]:
        """`drift` in nats a token, and of how many users: 0 of a base that nobody changed."""
        source, bench = self.prepare().source, self.desk.bench
        roster, queries = first(chunk, rosters, self.asked.users)
        adapters, index = source.adapters(queries, roster)
        if adapters is None or source.injector is None:
            return {"drift": 0.0, "measured_users": len(queries)}
        rows = neutral_rows(bench.backbone, self.asked.prompts, bench.max_tokens)
        drift = neutral_drift(bench.backbone, source.injector, adapters, index, rows)
        return {"drift": drift, "measured_users": len(queries)}


def first(chunk: Chunk, rosters: Sequence[Roster], users: int) -> tuple[Roster, list[Example]]:
    """A question of each of the first users who were enrolled together. ValueError where nobody was."""
    asked = {query.user_id: query for query in reversed(chunk.queries)}
    for roster in rosters:
        there = {user for user, _ in (roster.profiles or roster.place)}
        found = [asked[user] for user in chunk.users if user in there and user in asked][:users]
        if found:
            return roster, found
    raise ValueError("no user could be enrolled")


def found(run: Path, plan: Plan, bare: Mapping[str, bool], asked: Asked) -> dict[str, Any]:
    """What results.json says: `drift` of each method, the mean over seeds; 0 where `bare` says that it has no adapter.

    Nothing of what was measured with other prompts or users.
    """
    numbers: dict[str, list[float]] = {name: [0.0] for name, none in bare.items() if none and asked.users}
    for way in plan.ways:
        drift = next((one for one in map(asked.drift, said_of(run, way)) if one is not None), None)
        for method in way.methods if drift is not None else ():
            if not bare.get(method.name, True):
                numbers.setdefault(method.name, []).append(drift or 0.0)
    means = {name: sum(some) / len(some) for name, some in numbers.items()}
    return {"drift": means, "drift_asked": asked.about()} if means else {}


def unmeasured(run: Path, plan: Plan) -> list[str]:
    """What could not be measured, and why; of which seed, where there are several."""
    several = len({way.seed for way in plan.ways}) > 1
    said = [(way, one) for way in plan.ways for one in said_of(run, way)[:1] if "failure" in one]
    names = [f"{way.methods[0].name}{f' with seed {way.seed}' if several else ''}" for way, _ in said]
    return [f"drift of {name} was not measured: {one['failure']}" for name, (_, one) in zip(names, said, strict=True)]


def said_of(run: Path, way: Way) -> list[dict[str, Any]]:
    """What is kept of the drift of a way's source: the same of each of its methods, but for those that came later."""
    files = [file(run, method.name, way.seed) for method in way.methods]
    return [json.loads(path.read_text(encoding="utf-8")) for path in files if path.exists()]


def file(run: Path, method: str, seed: int) -> Path:
    """Where the drift of a method's source is."""
    return run / FOLDER / f"{method}-seed-{seed}.json"


def clear(run: Path) -> None:
    """Delete what an earlier evaluation in this folder kept."""
    for path in (run / FOLDER).glob("*.json"):
        path.unlink()
