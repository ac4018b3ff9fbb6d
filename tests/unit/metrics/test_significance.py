"""Sign flips against p-values worked out by hand, by SciPy, by how often they are wrong; Holm by hand."""

import numpy as np
import pytest
from scipy.stats import permutation_test

from tailorlm.metrics.significance import compare, holm, sign_flip_test


@pytest.mark.parametrize("users", [2, 5, 10])
def test_a_difference_that_all_users_have_has_two_of_all_flips(users: int) -> None:
    found = sign_flip_test([1.0] * users, [0.5] * users, [str(n) for n in range(users)])
    assert found.exact and found.p == 2 / 2**users and found.mean == 0.5
    assert (found.users, found.rows) == (users, users)


def test_hand_worked_flips() -> None:
    # Users' sums 3, 1, 1: of the 8 flips only all and none reach 5.
    assert sign_flip_test([3, 1, 1], [0, 0, 0], list("abc")).p == 2 / 8
    # 3, 1, -1: observed 3; sums over flips: 5, 3, 3, 1 and their negatives: 6 of 8 reach 3.
    assert sign_flip_test([3, 1, 0], [0, 0, 1], list("abc")).p == 6 / 8


def test_no_difference_is_never_significant() -> None:
    assert sign_flip_test([0.3] * 4, [0.3] * 4, list("abcd")).p == 1
    assert sign_flip_test([0.3] * 40, [0.3] * 40, [str(n) for n in range(40)]).p == 1


def test_rows_of_a_user_flip_together() -> None:
    # Forty rows of two users are no more evidence than two rows.
    found = sign_flip_test([1.0] * 40, [0.0] * 40, ["a", "b"] * 20)
    assert (found.p, found.users, found.rows) == (0.5, 2, 40)


def test_tasks_count_the_same() -> None:
    scores, users, tasks = [1.0] * 10 + [0.0], [*"abcdefghij", "a"], ["many"] * 10 + ["one"]
    assert sign_flip_test(scores, [0.0] * 11, users, tasks).mean == pytest.approx(0.5)


def test_scipy_agrees() -> None:
    rng = np.random.default_rng(3)
    for size in (8, 60):
        scores, base = rng.normal(0.25, 1, size), rng.normal(0, 1, size)
        found = sign_flip_test(scores.tolist(), base.tolist(), [f"u{n}" for n in range(size)], draws=4_000)
        # |mean| and "greater": SciPy's own two-sided p is twice the smaller side, which wavers more.
        other = permutation_test(
            (scores, base),
            lambda a, b: abs(np.mean(a - b)),
            permutation_type="samples",
            n_resamples=4_000,
            alternative="greater",
        )
        assert found.exact == (size == 8)
        assert found.p == pytest.approx(other.pvalue, abs=1e-9 if found.exact else 0.03)


def test_it_is_wrong_as_often_as_it_says() -> None:
    rng = np.random.default_rng(0)
    users = [f"u{n}" for n in range(20) for _ in range(3)]
    wrong = 0
    for seed in range(300):
        change = np.repeat(rng.normal(0, 1, 20), 3) + rng.normal(0, 0.3, 60)
        wrong += sign_flip_test(change.tolist(), [0.0] * 60, users, draws=200, seed=seed).p <= 0.05
    assert 4 <= wrong <= 28


def test_seeds_and_order() -> None:
    rng = np.random.default_rng(1)
    scores, users = rng.normal(0.1, 1, 50), [f"u{n:02d}" for n in range(50)]
    one = sign_flip_test(scores.tolist(), [0.0] * 50, users, draws=500)
    order = rng.permutation(50)
    moved = sign_flip_test(scores[order].tolist(), [0.0] * 50, [users[n] for n in order], draws=500)
    assert one == moved != sign_flip_test(scores.tolist(), [0.0] * 50, users, draws=500, seed=1)


def test_draws_in_parts_are_the_draws_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    scores, users = [1.0] * 20, [str(n) for n in range(20)]
    monkeypatch.setattr("tailorlm.metrics.significance.CELLS", 100)
    assert sign_flip_test(scores, [0.0] * 20, users, draws=333).p == 1 / 334


def test_holm_by_hand() -> None:
    # 0.01 * 4, then 0.02 * 3 = 0.06, 0.03 * 2 = 0.06, and 0.04 * 1 is raised to its forerunner.
    assert holm({"d": 0.04, "a": 0.01, "c": 0.03, "b": 0.02}) == pytest.approx(
        {"d": 0.06, "a": 0.04, "c": 0.06, "b": 0.06}
    )
    assert holm({"a": 0.9, "b": 0.8}) == {"a": 1.0, "b": 1.0}
    assert holm({"a": 0.04}) == {"a": 0.04} and holm({}) == {}
    assert list(holm({"z": 0.5, "a": 0.1})) == ["z", "a"]
    with pytest.raises(ValueError, match="a: p = 1.5"):
        holm({"a": 1.5})


def test_methods_against_one() -> None:
    users = [f"u{n}" for n in range(12)]
    methods = {"base": [0.5] * 12, "same": [0.5] * 12, "better": [1.0] * 12, "mixed": [1.0, 0.0] * 6}
    found = compare(methods, "base", users, draws=5_000)
    assert list(found) == ["same", "better", "mixed"]
    better, mixed, same = found["better"], found["mixed"], found["same"]
    assert (better.mean, better.low, better.high, better.harmed) == (0.5, 0.5, 0.5, 0)
    assert better.p == 2 / 2**12 and better.p_holm == 3 * better.p
    assert (mixed.mean, mixed.harmed, mixed.p_holm) == (0, 0.5, 1)
    assert (same.p, same.harmed, same.users, same.rows) == (1, 0, 12, 12)
    with pytest.raises(ValueError, match="no method 'bass'; there are: base, same, better, mixed"):
        compare(methods, "bass", users)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ({"scores": [1.0]}, r"scores has shape \(1,\)"),
        ({"base": [0.0, float("nan")]}, "base: row 1 is not finite"),
        ({"users": ["a", "a"]}, r"1 user\(s\)"),
        ({"draws": 0}, "draws 0"),
    ],
)
def test_refusals(arguments: dict[str, object], reason: str) -> None:
    given = {"scores": [1.0, 0.0], "base": [0.0, 0.0], "users": ["a", "b"]} | arguments
    with pytest.raises(ValueError, match=reason):
        sign_flip_test(**given)  # type: ignore[arg-type]
