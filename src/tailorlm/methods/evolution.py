"""The best point of a box for many users at once, by evolution: CMA-ES asks, a fitness of everybody's points answers.

Each user has an own search, seeded by the user's id, so that company changes nothing; a generation of all users is one
call of the fitness. Knows nothing of what the points mean. Source: PriME (Kim et al., 2025; weights in [-1.5, 1.5],
start 0, about 10 evaluations); Hansen's CMA-ES, `cma` (pycma); reference section 3.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import numpy as np
import torch
from torch import Tensor

from tailorlm.training.streams import key_of

Fitness = Callable[[Tensor], Tensor]
"""points (U, C, D) -> how good each is, (U, C), higher is better."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchSettings:
    """`budget` points a user beside the start, `population` of them a generation; `step` is the first sigma."""

    budget: int = 10
    population: int = 5
    bound: float = 1.5
    step: float = 0.5

    def __post_init__(self) -> None:
        """Raises ValueError with the field, the value and what would be valid."""
        if self.budget < 1 or self.population < 2 or not 0 < self.step <= self.bound:
            raise ValueError(
                f"budget is {self.budget} (valid: at least 1), population {self.population} (at least 2), "
                f"step {self.step} and bound {self.bound} (0 < step <= bound)"
            )

    @property
    def generations(self) -> list[int]:
        """Points a generation; the last may be smaller."""
        whole, rest = divmod(self.budget, self.population)
        return [self.population] * whole + [rest] * (rest > 0)


@dataclass(frozen=True, slots=True)
class Found:
    """The best of each user's points (U, D), its fitness (U,), and the start's fitness (U,): never above it."""

    points: Tensor
    fitness: Tensor
    start: Tensor


def check_installed() -> None:
    """ValueError where CMA-ES is not installed: said before anything is trained for a search."""
    if find_spec("cma") is None:
        raise ValueError("the search needs the package cma: pip install 'tailorlm[prime]'")


def search(ids: Sequence[str], dimensions: int, fitness: Fitness, settings: SearchSettings, seed: int) -> Found:
    """From the origin, which stays the best where nothing is strictly better.

    ValueError where a fitness is NaN or infinite, or not one number a point.
    """
    points = torch.zeros(len(ids), dimensions)
    start = _asked(fitness, points.unsqueeze(1))[:, 0]
    best = start.clone()
    strategies = [_strategy(dimensions, settings, key_of(seed, "evolution", id)) for id in ids]
    for size in settings.generations:
        asked = [strategy.ask(size) for strategy in strategies]
        points_asked = np.array(asked, dtype=np.float32).reshape(len(ids), size, max(2, dimensions))
        candidates = torch.from_numpy(points_asked)[..., :dimensions]
        values = _asked(fitness, candidates)
        if size == settings.population:  # a smaller generation is the last: nobody learns from it
            for strategy, own, of_own in zip(strategies, asked, values.tolist(), strict=True):
                strategy.tell(own, [-value for value in of_own])
        value, place = values.max(1)
        better = value > best
        best = torch.where(better, value, best)
        chosen = candidates[torch.arange(len(ids)), place]
        points = torch.where(better.unsqueeze(1), chosen, points)
    return Found(points, best, start)


def _asked(fitness: Fitness, points: Tensor) -> Tensor:
    values = fitness(points).double()
    if values.shape != points.shape[:2] or not bool(values.isfinite().all()):
        raise ValueError(f"a fitness is one finite number a point: expected {tuple(points.shape[:2])}, got {values}")
    return values


def _strategy(dimensions: int, settings: SearchSettings, key: int) -> Any:
    import cma  # seconds to import: only for who searches

    chance = np.random.default_rng(abs(key))
    options = {
        "bounds": [-settings.bound, settings.bound],
        "popsize": settings.population,
        "randn": lambda *shape: chance.standard_normal(shape),
        "seed": math.nan,  # with its own `randn` it leaves numpy's global stream alone
        "verbose": -9,
    }
    # In one dimension CMA-ES is not defined; a second that nobody reads makes it so.
    return cma.CMAEvolutionStrategy([0.0] * max(2, dimensions), settings.step, options)
