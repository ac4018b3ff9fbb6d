"""Gradients' norms of the users whom an evaluation trained: a file a method and chunk, and the means in results.json.

A chunk that is trained again, after a stop, replaces its file: users count once. Knows nothing of how norms are made.
Source: PRISP figure 9.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from tailorlm.assembly.runs import write_json
from tailorlm.evaluation.plan import Chunk, Method, Plan
from tailorlm.evaluation.rows import make_private
from tailorlm.methods.gradient_norms import GradientNorms, mean
from tailorlm.methods.source import Roster

FOLDER = "gradient_norms"


@dataclass(frozen=True)
class Keeping:
    """Keeps what rosters have of norms below `run`, for the method that is the first of those that share a source."""

    run: Path
    method: Method
    seed: int

    def __call__(self, chunk: Chunk, rosters: Sequence[Roster]) -> None:
        """Write the norms of a chunk's users, if there are any."""
        norms = [roster.gradients for roster in rosters if roster.gradients is not None]
        if norms:
            path = file(self.run, self.method.name, chunk.split, self.seed, chunk.number)
            make_private(path.parent)
            write_json(path, {"parts": [asdict(one) for one in norms]})


def gradient_norms(run: Path, plan: Plan) -> dict[str, list[list[float]]]:
    """By method: by step the norm of each layer, the mean over the plan's users, splits and seeds.

    What an earlier evaluation kept of other splits or seeds does not count.
    """
    files: dict[str, list[Path]] = {}
    for way in plan.ways:
        name = way.methods[0].name
        for split, number in plan.every_number(way.users):
            files.setdefault(name, []).append(file(run, name, split, way.seed, number))
    found = {name: mean([part for path in paths if path.exists() for part in _read(path)])
             for name, paths in files.items()}  # fmt: skip
    return {name: norms for name, norms in found.items() if norms}


def file(run: Path, method: str, split: str, seed: int, number: int) -> Path:
    """Where the norms of a chunk's users are."""
    return run / FOLDER / method / f"{split}-seed-{seed}-{number:05d}.json"


def clear(run: Path) -> None:
    """Delete what an earlier evaluation in this folder kept."""
    for path in (run / FOLDER).glob("*/*.json"):
        path.unlink()


def _read(path: Path) -> list[GradientNorms]:
    return [GradientNorms(**part) for part in json.loads(path.read_text(encoding="utf-8"))["parts"]]
