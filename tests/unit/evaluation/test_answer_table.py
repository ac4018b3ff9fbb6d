"""The table's numbers: by hand, against plain resampling, and as properties (pairing, seeds)."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tailorlm.evaluation.scores import Answer
from tailorlm.evaluation.table import difference, harmed, intervals, summary


def answer(user: str, task: str, score: float, number: int = 0) -> Answer:
    return Answer(f"{user}-{task}-{number}", user, task, "", "", score)


def crowd(shift: float, users: int = 40, seed: int = 0) -> list[Answer]:
    rng = np.random.default_rng(seed)
    base = rng.uniform(0, 0.5, size=(users, 2, 3))
    return [
        answer(f"u{u:03}", task, float(base[u, t, n] + shift), n)
        for u in range(users)
        for t, task in enumerate(("rating", "tweet"))
        for n in range(3)
    ]


def test_summary_is_the_mean_over_rows_and_the_mean_over_tasks() -> None:
    rows = [answer("a", "tweet", 1.0), answer("a", "rating", 0.5), answer("b", "rating", 0.0, 1)]
    assert summary([*rows, answer("b", "rating", 1.0, 2)]) == {"rating": 0.5, "tweet": 1.0, "average": 0.75}


def test_no_answers_are_refused() -> None:
    with pytest.raises(ValueError, match="no answers"):
        summary([])


def test_intervals_hold_the_mean_and_repeat_with_the_seed() -> None:
    rows = crowd(0.2)
    found, mean = intervals(rows, seed=3), summary(rows)
    assert all(found[task][0] < mean[task] < found[task][1] for task in ("rating", "tweet", "average"))
    assert found == intervals(rows, seed=3) != intervals(rows, seed=4)
    assert intervals(rows[::-1], seed=3)["average"] == pytest.approx(found["average"])


def test_intervals_have_the_width_that_theory_gives() -> None:
    rng = np.random.default_rng(1)
    rows = [answer(f"u{u}", "x", float(rng.normal())) for u in range(400)]
    low, high = intervals(rows)["x"]
    assert high - low == pytest.approx(2 * 1.96 / 20, rel=0.1)


def test_a_paired_difference_removes_what_users_share() -> None:
    gap = difference(crowd(0.3), crowd(0.1))
    for task in ("rating", "tweet", "average"):
        assert gap[task]["mean"] == pytest.approx(0.2)
        assert gap[task]["low"] == pytest.approx(0.2) and gap[task]["high"] == pytest.approx(0.2)
    unpaired = intervals(crowd(0.3))["average"]
    assert unpaired[1] - unpaired[0] > 0.02


def test_a_difference_turns_its_sign_with_its_sides() -> None:
    a, b = crowd(0.0, seed=1), crowd(0.0, seed=2)
    there, back = difference(a, b)["average"], difference(b, a)["average"]
    assert there["mean"] == pytest.approx(-back["mean"]) and there["low"] == pytest.approx(-back["high"])


def test_only_the_same_rows_compare() -> None:
    with pytest.raises(ValueError, match="'u039-tweet-2' of task 'tweet' is answered by one method only"):
        difference(crowd(0.0), crowd(0.0)[:-1])
    with pytest.raises(ValueError, match="answered twice"):
        harmed([answer("a", "x", 1.0)] * 2, [answer("a", "x", 1.0)] * 2)


def test_the_average_is_drawn_jointly_with_each_task_counting_the_same() -> None:
    # One task's rows are constant and ten times as many: the average moves half as much as the other task.
    rows = [answer(f"u{u}", "x", float(u % 2)) for u in range(40)]
    rows += [answer(f"u{u}", "y", 0.5, n) for u in range(40) for n in range(10)]
    found = intervals(rows)
    assert found["y"] == [0.5, 0.5]
    width = found["x"][1] - found["x"][0]
    assert found["average"][1] - found["average"][0] == pytest.approx(width / 2, rel=0.1)


def test_harmed_counts_users_below_the_baseline_by_their_own_mean() -> None:
    base = [answer("a", "x", 0.5), answer("a", "y", 0.5), answer("b", "x", 0.5), answer("c", "x", 0.1)]
    ours = [answer("a", "x", 0.9), answer("a", "y", 0.2), answer("b", "x", 0.4), answer("c", "x", 0.1)]
    assert harmed(ours, base) == pytest.approx(1 / 3)
    assert harmed(base, base) == 0.0


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.sampled_from("xy"), st.floats(0, 1)), min_size=1))
def test_bounds_stay_within_the_scores(rows: list[tuple[str, float]]) -> None:
    twice = [(user, task, score, n) for n, (task, score) in enumerate(rows) for user in "abcdefghijklmnop"]
    answers = [answer(user, task, score, n) for user, task, score, n in twice]
    scores = [score for _, score in rows]
    for low, high in intervals(answers, resamples=20).values():
        assert min(scores) - 1e-9 <= low <= high <= max(scores) + 1e-9


def test_wrong_settings_are_refused() -> None:
    with pytest.raises(ValueError, match="resamples 0"):
        intervals(crowd(0.0), resamples=0)
    with pytest.raises(ValueError, match="confidence 95"):
        intervals(crowd(0.0), confidence=95)


def test_what_too_few_users_have_has_no_interval() -> None:
    rows = [answer(f"u{n}", "x", n / 4) for n in range(5)]
    assert set(intervals(rows)) == {"x", "average"}
    found = difference([*rows, answer("z", "y", 0.5)], [*rows, answer("z", "y", 0.1)])
    assert set(found) == {"x"}  # one user of y: none of y, and none of an average that y is half of
    assert intervals(rows[:1]) == {}
