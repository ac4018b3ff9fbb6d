"""Who is next: the units of many pools take turns, pass after pass, with a state of two numbers a pool.

Knows nothing of what a unit is (for the sampler: a user's rows of one task and length bucket).
"""

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]


class Turns:
    """A pool is a (bucket, task); its units come in one shuffled pass after another, each of its own seed."""

    def __init__(self, keys: Ints, seed: int) -> None:
        """`keys` (units, 2): bucket and task of each unit, sorted."""
        starts = np.flatnonzero(np.r_[True, (keys[1:] != keys[:-1]).any(1)])
        ends = np.r_[starts[1:], len(keys)]
        self._number = {(int(b), int(t)): i for i, (b, t) in enumerate(keys[starts])}
        self._spans = [(int(s), int(e)) for s, e in zip(starts, ends, strict=True)]
        self._passes = [0] * len(starts)
        self._at = [0] * len(starts)
        self._orders: dict[int, Ints] = {}
        self._seed = seed

    def take(self, bucket: int, task: int, count: int) -> Ints:
        """The pool's next `count` different units, or all where it has fewer.

        What is left of a pass, when it is too little, is dropped: a batch never has a unit twice.
        """
        pool = self._number[bucket, task]
        start, end = self._spans[pool]
        count = min(count, end - start)
        if self._at[pool] + count > end - start:
            self._passes[pool], self._at[pool] = self._passes[pool] + 1, 0
            self._orders.pop(pool, None)
        if pool not in self._orders:
            rng = np.random.default_rng(np.random.SeedSequence([self._seed, 1, pool, self._passes[pool]]))
            self._orders[pool] = start + rng.permutation(end - start)
        at = self._at[pool]
        self._at[pool] = at + count
        return self._orders[pool][at : at + count]

    def state(self) -> dict[str, list[int]]:
        """Each pool's pass and place in it."""
        return {"passes": list(self._passes), "at": list(self._at)}

    def set_state(self, state: dict[str, list[int]]) -> None:
        """Continue there; passes are shuffled again from their seeds."""
        self._passes, self._at = list(state["passes"]), list(state["at"])
        self._orders.clear()
