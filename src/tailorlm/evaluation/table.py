"""What a method reached: mean per task, intervals and paired differences over users, users worse off.

Knows nothing of methods, models or files. "average" is the mean over tasks, each counting the same, also
inside every draw of users. What too few users have (one user of a task, say) has no interval.
Source: issue 2 section 3; the drawing of users is metrics/bootstrap.
"""

from collections.abc import Sequence
from contextlib import suppress

from tailorlm.evaluation.scores import Answer
from tailorlm.metrics.bootstrap import Difference, TooFewUsers, paired_bootstrap, share_worse

AVERAGE = "average"
RESAMPLES = 1000


def summary(answers: Sequence[Answer]) -> dict[str, float]:
    """Mean score (0..1) of each task over its rows, and under "average" the mean over the tasks.

    Raises ValueError when there are no answers.
    """
    if not answers:
        raise ValueError("no answers: a score needs at least one")
    scores: dict[str, list[float]] = {}
    for answer in answers:
        scores.setdefault(answer.task, []).append(answer.score)
    means = {task: sum(found) / len(found) for task, found in sorted(scores.items())}
    return means | {AVERAGE: sum(means.values()) / len(means)}


def intervals(
    answers: Sequence[Answer], resamples: int = RESAMPLES, seed: int = 0, confidence: float = 0.95
) -> dict[str, list[float]]:
    """[low, high] of each task and of "average", where there are users enough to draw."""
    drawn = bootstraps(answers, [0.0] * len(answers), resamples, seed, confidence)
    return {task: [found.low, found.high] for task, found in drawn.items()}


def difference(
    a: Sequence[Answer],
    b: Sequence[Answer],
    resamples: int = RESAMPLES,
    seed: int = 0,
    confidence: float = 0.95,
) -> dict[str, dict[str, float]]:
    """a minus b per task and for "average": {"mean", "low", "high"}, the same users drawn for both, where there are
    users enough to draw.

    Raises ValueError unless both answered the same examples, each once.
    """
    drawn = bootstraps(a, paired(a, b), resamples, seed, confidence)
    return {task: {"mean": found.mean, "low": found.low, "high": found.high} for task, found in drawn.items()}


def harmed(answers: Sequence[Answer], baseline: Sequence[Answer]) -> float:
    """Share of users (0..1) whose mean over their own rows is below the baseline's on the same rows."""
    base = paired(answers, baseline)
    return share_worse([answer.score for answer in answers], base, [answer.user_id for answer in answers])


def paired(answers: Sequence[Answer], baseline: Sequence[Answer]) -> list[float]:
    """The baseline's score of every row of `answers` (N), matched by example, user and task."""
    scores = {key(answer): answer.score for answer in baseline}
    asked = {key(answer) for answer in answers}
    if len(scores) != len(baseline) or len(asked) != len(answers):
        raise ValueError("an example is answered twice: expected one answer an example")
    for example_id, _, task in sorted(scores.keys() ^ asked):
        raise ValueError(f"example {example_id!r} of task {task!r} is answered by one method only")
    return [scores[key(answer)] for answer in answers]


def key(answer: Answer) -> tuple[str, str, str]:
    """What makes two methods' answers comparable."""
    return answer.example_id, answer.user_id, answer.task


def bootstraps(
    answers: Sequence[Answer], base: Sequence[float], resamples: int, seed: int, confidence: float
) -> dict[str, Difference]:
    """The paired bootstrap of each task's rows, in the order of names, then of all rows as "average".

    Those with too few users are left out.
    """
    places: dict[str, list[int]] = {task: [] for task in sorted({answer.task for answer in answers})}
    for place, answer in enumerate(answers):
        places[answer.task].append(place)
    drawn = {}
    for name, rows in [*places.items(), (AVERAGE, range(len(answers)))]:
        picked = [answers[row] for row in rows]
        with suppress(TooFewUsers):
            drawn[name] = paired_bootstrap(
                [answer.score for answer in picked],
                [base[row] for row in rows],
                [answer.user_id for answer in picked],
                [answer.task for answer in picked],
                resamples,
                confidence,
                seed,
            )
    return drawn
