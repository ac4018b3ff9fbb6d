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
    """Keeps what rosters have of norms below `run`, for each of the `methods` that share a source: any may go."""

    run: Path
    methods: Sequence[Method]
    seed: int

    def __call__(self, chunk: Chunk, rosters: Sequence[Roster]) -> None:
        """Write the norms of a chunk's users, if there are any."""
        norms = [roster.gradients for roster in rosters if roster.gradients is not None]
        for method in self.methods if norms else ():
            path = file(self.run, method.name, chunk.split, self.seed, chunk.number)
            make_private(path.parent)
            write_json(path, {"parts": [asdict(one) for one in norms]})


def gradient_norms(run: Path, plan: Plan) -> dict[str, list[list[float]]]:
    """By the first method of a source: by step the norm of each layer, the mean over the plan's users, splits, seeds.

    What an earlier evaluation kept of other splits or seeds does not count.
    """
    files: dict[str, list[Path]] = {}
    for way in plan.ways:
        for split, number in plan.every_number(way.users):
            each = [file(run, method.name, split, way.seed, number) for method in way.methods]
            files.setdefault(way.methods[0].name, []).extend([path for path in each if path.exists()][:1])
    found = {name: mean([part for path in paths for part in _read(path)]) for name, paths in files.items()}
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
