"""Every method against a reference: the difference, its interval, a sign-flip test with Holm's correction.

On the examples that both answered; all methods of one split and one column are corrected together. Knows nothing of
pages. Source: metrics/significance.py, metrics/bootstrap.py; issue 4 (significance between methods).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from tailorlm.evaluation.names import in_order
from tailorlm.evaluation.report_marks import Key
from tailorlm.evaluation.report_merge import NEXT_TO, Board
from tailorlm.evaluation.table import AVERAGE
from tailorlm.metrics.bootstrap import paired_bootstrap, share_worse
from tailorlm.metrics.significance import holm, sign_flip_test

DRAWS, CELLS = 10_000, 5_000_000
"""Sign flips at most, and flips times users at most (but LEAST)."""
RESAMPLES, DRAWN, LEAST = 1_000, 1_000_000, 200
"""Draws of the bootstrap at most, draws times users at most, and at least so many of either."""


@dataclass(frozen=True, slots=True)
class Against:
    """A method minus the reference: mean and interval (None: too few users) in 0..1, p-values, users, share worse."""

    mean: float
    low: float | None
    high: float | None
    p: float
    p_holm: float
    users: int
    harmed: float


def reference(board: Board, wanted: str | None) -> str | None:
    """What all are compared with: `wanted`, or the base, or the first model; None without scores of examples.

    ValueError, with the names there are, for a method that has none.
    """
    there = in_order({method for method, _ in board.scores})
    if wanted is None:
        models = [name for name in there if not name.startswith("floor_")]
        return next((name for name in ("base", *models) if name in there), None)
    if wanted not in there:
        raise ValueError(f"--against {wanted}: there are scores of: {', '.join(there) or 'no method'}")
    return wanted


def against(board: Board, name: str, split: str) -> dict[str, dict[str, Against]]:
    """By column (a task, or "average") and method what the method is against `name` on a split."""
    base = board.scores.get((name, split), {})
    others = in_order(method for method, of in board.scores if of == split and method != name)
    found: dict[str, dict[str, Against]] = {}
    for column in board.results.columns():
        drawn = {other: of_column(board, other, name, split, column, base) for other in others}
        tests = {other: one for other, one in drawn.items() if one is not None}
        raised = holm({other: one.p for other, one in tests.items()})
        found[column] = {other: replace(one, p_holm=raised[other]) for other, one in tests.items()}
    return found


def of_column(
    board: Board, other: str, name: str, split: str, column: str, base: Mapping[Key, float]
) -> Against | None:
    """One method against the reference on a column; None where they share fewer than two users."""
    scores = board.scores[other, split]
    keys = [key for key in scores if key in base and column in (key[2], AVERAGE)]
    tasks = sorted({key[2] for key in keys})
    if len({key[1] for key in keys}) < 2 or (column == AVERAGE and tasks != everything(board, split)):
        return None
    a, b, users = [scores[key] for key in keys], [base[key] for key in keys], [key[1] for key in keys]
    people = len(set(users))
    draws = max(LEAST, min(DRAWS, CELLS // people))
    found = sign_flip_test(a, b, users, [key[2] for key in keys], draws)
    ends = known_ends(board, other, name, split, column) or drawn_ends(a, b, keys)
    return Against(found.mean, *ends, found.p, found.p, people, share_worse(a, b, users))


def everything(board: Board, split: str) -> list[str]:
    """All tasks of a split."""
    return sorted({task for by in board.results.methods.values() for task in by.get(split, {}) if task != AVERAGE})


def known_ends(board: Board, other: str, name: str, split: str, column: str) -> tuple[float, float] | None:
    """The interval that a run has drawn already."""
    differences = board.results.differences
    there = differences.get(f"{other}{NEXT_TO}{name}", {}).get(split, {}).get(column)
    back = differences.get(f"{name}{NEXT_TO}{other}", {}).get(split, {}).get(column)
    if there:
        return there["low"], there["high"]
    return (-back["high"], -back["low"]) if back else None


def drawn_ends(a: Sequence[float], b: Sequence[float], keys: Sequence[Key]) -> tuple[float | None, float | None]:
    """The interval drawn now; none where a task has too few users to be in every draw."""
    users = [key[1] for key in keys]
    draws = max(LEAST, min(RESAMPLES, DRAWN // len(set(users))))
    try:
        found = paired_bootstrap(a, b, users, [key[2] for key in keys], draws)
    except ValueError:
        return None, None
    return found.low, found.high
