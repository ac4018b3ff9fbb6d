"""Warm-up and decay: never zero, continuous, and the larger of steps and time under a budget."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailorlm.training.schedule import factor, progress

DECAYS = st.sampled_from(["linear", "cosine", "constant"])


@given(st.integers(1, 2000), st.floats(0, 0.9), DECAYS)
def test_no_step_has_rate_zero_and_none_more_than_one(steps: int, warmup: float, decay: str) -> None:
    for step in {0, steps // 2, steps - 1}:
        assert 0 < factor(progress(step, steps), warmup, decay) <= 1


@given(st.integers(10, 500), st.floats(0.05, 0.9), DECAYS)
def test_it_rises_then_never_rises_again(steps: int, warmup: float, decay: str) -> None:
    factors = [factor(progress(s, steps), warmup, decay) for s in range(steps)]
    peak = factors.index(max(factors))
    assert factors[: peak + 1] == sorted(factors[: peak + 1])
    assert factors[peak:] == sorted(factors[peak:], reverse=True)


def test_known_points() -> None:
    assert [factor(p, 0.2, "linear") for p in (0.1, 0.2, 0.6)] == pytest.approx([0.5, 1.0, 0.5])
    assert [factor(p, 0.2, "cosine") for p in (0.2, 0.4, 0.6)] == pytest.approx([1.0, 0.8535534, 0.5])
    assert [factor(p, 0.2, "constant") for p in (0.1, 0.2, 0.99)] == pytest.approx([0.5, 1.0, 1.0])


def test_a_budget_moves_the_run_on_only_when_time_is_ahead_of_steps() -> None:
    assert progress(4, 9) == progress(4, 9, elapsed=1.0, max_seconds=60.0) == 0.5
    assert progress(4, 9, elapsed=45.0, max_seconds=60.0) == 0.75
    assert progress(4, 9, elapsed=99.0, max_seconds=60.0) == 1.0
    assert progress(4, 9, elapsed=1e9) == 0.5
