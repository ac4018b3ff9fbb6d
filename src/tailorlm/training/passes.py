"""An endless, seeded stream of batches that sees every example once a pass: what "3 epochs" means.

Knows nothing of tasks or users: a batch is the next so many examples of a shuffled pass. Source: PRISP table 7 (task
adaptation in epochs).
"""

from collections.abc import Iterator
from math import ceil
from typing import Any

import numpy as np

from tailorlm.training.turns import Ints


class Passes:
    """`next(passes)` gives the numbers of a batch's examples, (N,) int64; a pass's last batch may be smaller."""

    def __init__(self, examples: int, batch: int, seed: int = 0) -> None:
        """ValueError where there is nothing to draw, or batches would be empty."""
        if examples < 1 or batch < 1:
            raise ValueError(f"{examples} examples in batches of {batch}: expected at least 1 of each")
        self.examples, self.batch, self.seed, self.drawn = examples, batch, seed, 0
        self._order: tuple[int, Ints] | None = None

    def __iter__(self) -> Iterator[Ints]:
        """The stream itself."""
        return self

    def __next__(self) -> Ints:
        """The next batch, (N,)."""
        number, place = divmod(self.drawn, steps(1, self.examples, self.batch))
        self.drawn += 1
        return self._pass(number)[place * self.batch : (place + 1) * self.batch]

    def _pass(self, number: int) -> Ints:
        """The order of a pass, shuffled once."""
        if self._order is None or self._order[0] != number:
            rng = np.random.default_rng(np.random.SeedSequence([self.seed, number]))
            self._order = number, rng.permutation(self.examples)
        return self._order[1]

    def state_dict(self) -> dict[str, Any]:
        """Where the stream is."""
        return {"drawn": self.drawn, "made_of": self._made_of()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue there. ValueError where the state is of other numbers."""
        if state.get("made_of") != self._made_of():
            raise ValueError(
                f"the stream's state is of {state.get('made_of')} (examples, batch, seed), and there are "
                f"{self._made_of()}: resume with the same data and settings, or start a new run"
            )
        self.drawn = state["drawn"]

    def _made_of(self) -> list[int]:
        return [self.examples, self.batch, self.seed]


def steps(epochs: int, examples: int, batch: int) -> int:
    """Batches in so many passes."""
    return epochs * ceil(examples / batch)
