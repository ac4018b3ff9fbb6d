"""Whether a difference between two methods is more than luck: sign flips over USERS, and Holm's correction.

If two methods were equally good, each user's difference might as well have the other sign; all rows of a user flip
together, since they are not independent. Beside the p-value stand the interval and the share of users worse off.
Knows nothing of metrics: it takes a score per row. Source: Fisher's randomisation test; Holm (1979).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tailorlm.metrics.bootstrap import CELLS, Floats, cells, checked_scores, paired_bootstrap, share_worse

DRAWS = 10_000
TIE = 1e-12
"""Sums of the same differences in another order differ by less: such draws count as equal."""


@dataclass(frozen=True, slots=True)
class SignFlip:
    """`p` is two-sided; `exact` where all flips were tried. The mean (scores - base) rests on users and rows."""

    mean: float
    p: float
    exact: bool
    users: int
    rows: int


@dataclass(frozen=True, slots=True)
class Comparison:
    """A method against another: mean difference, its interval, p-values, the share of users worse off (0..1)."""

    mean: float
    low: float
    high: float
    p: float
    p_holm: float
    harmed: float
    users: int
    rows: int


def sign_flip_test(
    scores: Sequence[float],
    base: Sequence[float],
    users: Sequence[str],
    tasks: Sequence[str] | None = None,
    draws: int = DRAWS,
    seed: int = 0,
) -> SignFlip:
    """The p-value of mean(scores) - mean(base) over N rows; with `tasks` (N) of the mean of the tasks' means.

    All 2^users flips where these are no more than `draws`, else that many at random (seeded, order-free), the
    observed one among them, so that p is never 0. ValueError where lengths differ, a score is not finite, or there
    are fewer than two users.
    """
    if draws < 1:
        raise ValueError(f"draws {draws}: expected at least 1")
    change = checked_scores(scores, "scores", len(users)) - checked_scores(base, "base", len(users))
    sums, counts, _ = cells(change, users, tasks)
    parts = (sums / counts.sum(axis=1, keepdims=True)).mean(axis=0)
    mean, exact = float(parts.sum()), 2 ** min(len(parts), 60) <= draws
    p = _exact_p(parts) if exact else _drawn_p(parts, draws, np.random.default_rng(seed))
    return SignFlip(mean, p, exact, len(parts), len(change))


def holm(p_values: Mapping[str, float]) -> dict[str, float]:
    """Holm's p-values for all comparisons at once, in the order given: at least as large as each alone."""
    for name, p in p_values.items():
        if not 0 <= p <= 1:
            raise ValueError(f"{name}: p = {p}: expected 0 to 1")
    order = sorted(p_values, key=p_values.__getitem__)
    steps = [min(1.0, (len(order) - place) * p_values[name]) for place, name in enumerate(order)]
    raised = dict(zip(order, np.maximum.accumulate(steps).tolist() if steps else [], strict=True))
    return {name: raised[name] for name in p_values}


def compare(
    methods: Mapping[str, Sequence[float]],
    against: str,
    users: Sequence[str],
    tasks: Sequence[str] | None = None,
    draws: int = DRAWS,
    confidence: float = 0.95,
    seed: int = 0,
) -> dict[str, Comparison]:
    """Every other method's scores (N) against those of `against` on the same rows, corrected for their number.

    ValueError where `against` is none of the methods, and as `sign_flip_test` and `paired_bootstrap` say.
    """
    if against not in methods:
        raise ValueError(f"no method {against!a}; there are: {', '.join(methods) or 'none'}")
    base = methods[against]
    others = {name: scores for name, scores in methods.items() if name != against}
    flips = {name: sign_flip_test(scores, base, users, tasks, draws, seed) for name, scores in others.items()}
    raised = holm({name: flip.p for name, flip in flips.items()})
    found = {}
    for name, scores in others.items():
        drawn, flip = paired_bootstrap(scores, base, users, tasks, draws, confidence, seed), flips[name]
        harmed = share_worse(scores, base, users)
        found[name] = Comparison(drawn.mean, drawn.low, drawn.high, flip.p, raised[name], harmed, flip.users, flip.rows)
    return found


def _exact_p(parts: Floats) -> float:
    bits = np.arange(2 ** len(parts))[:, None] >> np.arange(len(parts)) & 1
    return float(_as_far(parts, bits.astype(np.float64)).mean())


def _drawn_p(parts: Floats, draws: int, rng: np.random.Generator) -> float:
    step, far = max(1, CELLS // len(parts)), 0
    for start in range(0, draws, step):
        size = (min(step, draws - start), -(-len(parts) // 8))
        bits = np.unpackbits(rng.integers(0, 256, size, dtype=np.uint8), axis=1, count=len(parts))
        far += int(_as_far(parts, bits.astype(np.float64)).sum())
    return (1 + far) / (1 + draws)


def _as_far(parts: Floats, kept: Floats) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """(draws,) whether users' parts (U,), those kept with their sign and the others flipped, sum up as far from 0."""
    sums = 2 * (kept @ parts) - parts.sum()
    scale = TIE * max(1.0, float(np.abs(parts).sum()))
    far: np.ndarray[tuple[int], np.dtype[np.bool_]] = np.abs(sums) >= abs(float(parts.sum())) - scale
    return far
