"""How a user's ratings lean against what others give to the same words: an offset and a stretch.

Model: given = clip(middle + stretch * (expected - middle) + offset) to the scale, absolute errors (so that
one item in ten off-trait hardly matters), a Laplace prior towards leaning like everybody; posterior means
over a grid. Knows nothing of texts or users.
"""

from collections.abc import Sequence

import numpy as np

STRETCHES = 2.0 ** np.arange(-2, 2.01, 0.5)
OFFSETS = np.arange(-3, 3.01, 0.5)
PRIOR = 0.3
SHARPNESS = 1.5


def leaning(expected: Sequence[float], given: Sequence[float], low: float, high: float) -> tuple[float, float]:
    """(offset, log2 stretch), the offset in quarters of the scale `low` to `high` (stars, on one to five)."""
    unit = (high - low) / 4 or 1.0  # a scale of one value has no quarters
    x = (np.asarray(expected) - (low + high) / 2) / unit
    y = (np.asarray(given) - (low + high) / 2) / unit
    guess = np.clip(STRETCHES[:, None, None] * x + OFFSETS[None, :, None], -2.0, 2.0)
    prior = np.abs(np.log2(STRETCHES))[:, None] + np.abs(OFFSETS)[None, :]
    cost = np.abs(guess - y).sum(-1) + PRIOR * prior
    weight = np.exp(SHARPNESS * (cost.min() - cost))
    weight /= weight.sum()
    return float(weight.sum(0) @ OFFSETS), float(weight.sum(1) @ np.log2(STRETCHES))
