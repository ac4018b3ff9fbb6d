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
            folder = self.run / FOLDER / self.method.name
            make_private(folder)
            path = folder / f"{chunk.split}-seed-{self.seed}-{chunk.number:05d}.json"
            write_json(path, {"parts": [asdict(one) for one in norms]})


def gradient_norms(run: Path, plan: Plan) -> dict[str, list[list[float]]]:
    """By method: by step the norm of each layer, the mean over users, splits and seeds."""
    names = dict.fromkeys(method.name for way in plan.ways for method in way.methods)
    found = {name: mean([part for path in _files(run, name) for part in _read(path)]) for name in names}
    return {name: norms for name, norms in found.items() if norms}


def clear(run: Path) -> None:
    """Delete what an earlier evaluation in this folder kept."""
    for path in (run / FOLDER).glob("*/*.json"):
        path.unlink()


def _files(run: Path, method: str) -> list[Path]:
    return sorted((run / FOLDER / method).glob("*.json"))


def _read(path: Path) -> list[GradientNorms]:
    return [GradientNorms(**part) for part in json.loads(path.read_text(encoding="utf-8"))["parts"]]
