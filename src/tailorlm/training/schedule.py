"""The learning rate's factor over a run: warm-up, then linear, cosine or no decay.

Knows nothing of optimisers or clocks. Source: P2P's training settings (reference section 1).
"""

import math


def progress(step: int, steps: int, elapsed: float = 0.0, max_seconds: float | None = None) -> float:
    """How far a run is before its step number `step` (from 0), in (0, 1].

    Counted as (step+1)/(steps+1), so that neither the first nor the last step has rate zero. With a budget it
    is the larger of that and elapsed/max_seconds (seconds): then the numbers depend on the machine's speed.
    """
    done = (step + 1) / (steps + 1)
    if max_seconds is None:
        return done
    return min(1.0, max(done, elapsed / max_seconds))


def factor(done: float, warmup: float, decay: str) -> float:
    """What the learning rate is multiplied by, in 0..1, at `done` (0..1) with `warmup` a share of the run."""
    if done < warmup:
        return done / warmup
    left = (1.0 - done) / (1.0 - warmup)
    if decay == "constant":
        return 1.0
    return left if decay == "linear" else 0.5 - 0.5 * math.cos(math.pi * left)
