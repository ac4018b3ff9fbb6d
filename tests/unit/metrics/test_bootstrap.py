"""The interval over users: by hand, by a plain loop, by coverage, and what it refuses."""

import numpy as np
import pytest

from tailorlm.metrics.bootstrap import TooFewUsers, paired_bootstrap, share_worse


def test_a_constant_difference_has_no_width() -> None:
    found = paired_bootstrap([1.0, 0.5, 0.75], [0.5, 0.0, 0.25], ["a", "b", "c"], resamples=50)
    assert (found.mean, found.low, found.high) == (0.5, 0.5, 0.5)
    assert (found.users, found.rows) == (3, 3)


def test_the_mean_is_over_rows_and_users_are_drawn_whole() -> None:
    # Two users: a draw takes a twice (3/3), each once (3/4) or b twice (0).
    found = paired_bootstrap([1, 1, 1, 0], [0, 0, 0, 0], ["a", "a", "a", "b"], resamples=2_000)
    assert found.mean == 0.75
    assert (found.low, found.high) == (0, 1)


def test_a_plain_loop_agrees() -> None:
    rng = np.random.default_rng(5)
    users = [f"u{i}" for i in rng.integers(0, 40, 300)]
    scores, base = rng.random(300), rng.random(300)
    found = paired_bootstrap(list(scores), list(base), users, resamples=4_000, seed=1)
    people = sorted(set(users))
    rows = {name: [i for i, user in enumerate(users) if user == name] for name in people}
    draws = []
    for _ in range(4_000):
        picked = [i for name in rng.choice(people, len(people)) for i in rows[name]]
        draws.append(float((scores - base)[picked].mean()))
    assert found.mean == pytest.approx(float((scores - base).mean()))
    assert [found.low, found.high] == pytest.approx(list(np.quantile(draws, [0.025, 0.975])), abs=0.008)


def test_many_rows_of_a_user_narrow_nothing() -> None:
    few = paired_bootstrap([1, 0, 1, 0], [0] * 4, ["a", "b", "c", "d"], seed=3)
    many = paired_bootstrap([1, 0, 1, 0] * 50, [0] * 200, ["a", "b", "c", "d"] * 50, seed=3)
    assert (few.low, few.high) == (many.low, many.high)


def test_the_order_of_rows_and_the_names_of_users_are_nothing() -> None:
    rng = np.random.default_rng(0)
    scores, users = rng.integers(0, 2, 90).astype(float), [f"u{i % 30:02d}" for i in range(90)]
    order = rng.permutation(90)
    one = paired_bootstrap(list(scores), [0.0] * 90, users, resamples=500)
    moved = paired_bootstrap(list(scores[order]), [0.0] * 90, [users[i] for i in order], resamples=500)
    named = paired_bootstrap(list(scores), [0.0] * 90, ["x" + user for user in users], resamples=500)
    assert one == moved == named


def test_seeds() -> None:
    rng = np.random.default_rng(2)
    scores, users = list(rng.random(50)), [str(i) for i in range(50)]
    again = [paired_bootstrap(scores, [0.0] * 50, users, resamples=200, seed=s) for s in (0, 0, 1)]
    assert again[0] == again[1] != again[2]


def test_many_users_are_drawn_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tailorlm.metrics.bootstrap.CELLS", 50)
    parts = paired_bootstrap([1, 0, 0, 1], [0, 0, 1, 0], list("abcd"), resamples=64)
    assert parts.low <= parts.mean <= parts.high


def test_the_interval_covers_the_truth_as_often_as_it_says() -> None:
    rng = np.random.default_rng(7)
    users = [f"u{i}" for i in range(60) for _ in range(4)]
    covered = 0
    for seed in range(200):
        personal = np.repeat(rng.normal(0.1, 0.3, 60), 4)
        scores = personal + rng.normal(0, 0.2, 240)
        found = paired_bootstrap(list(scores), [0.0] * 240, users, resamples=400, seed=seed)
        covered += found.low <= 0.1 <= found.high
    assert 180 <= covered <= 198


def test_tasks_count_the_same_in_a_joint_mean() -> None:
    scores, users = [1, 1, 1, 0] * 2, ["a"] * 4 + ["b"] * 4
    tasks = ["tag", "tag", "tag", "rate"] * 2
    found = paired_bootstrap(scores, [0] * 8, users, tasks=tasks, resamples=100)
    assert (found.mean, found.low, found.high) == (0.5, 0.5, 0.5)


def few_of_each(levels: dict[str, float], users: int = 2) -> tuple[list[float], list[str], list[str]]:
    """Scores, users, tasks: `users` of each task, who do nothing else and all score the task's level."""
    rows = [(level, f"{task}{n}", task) for task, level in levels.items() for n in range(users)]
    return [row[0] for row in rows], [row[1] for row in rows], [row[2] for row in rows]


def test_a_draw_that_misses_a_task_is_drawn_again() -> None:
    # Within a task nobody differs, so that luck in users changes nothing: the interval is a point.
    scores, users, tasks = few_of_each({"tag": 0.9, "rate": 0.2, "title": 0.4})
    found = paired_bootstrap(scores, [0.0] * 6, users, tasks=tasks, resamples=500)
    assert (found.low, found.high) == pytest.approx((0.5, 0.5)) and found.mean == pytest.approx(0.5)
    # The negative control: the mean of the tasks that are in a draw moves with which ones these are.
    rng, people = np.random.default_rng(0), np.arange(6)
    present = [np.mean([scores[n] for n in {people[n] // 2 * 2 for n in rng.choice(6, 6)}]) for _ in range(500)]
    assert np.ptp(np.quantile(present, [0.025, 0.975])) > 0.2


def test_few_users_of_each_task_cover_the_truth_nearly_as_often_as_it_says() -> None:
    rng, covered, alone = np.random.default_rng(3), 0, 0
    levels = {"tag": 0.1, "rate": 0.5, "title": 0.3, "post": 0.1}
    for seed in range(100):
        scores, users, tasks = few_of_each(levels, 8)
        noisy = [score + noise for score, noise in zip(scores, rng.normal(0, 0.3, 32), strict=True)]
        # Twenty rows of a user that say the same: luck of users, that rows know nothing of.
        many = [list(column) * 20 for column in (noisy, users, tasks)]
        found = paired_bootstrap(many[0], [0.0] * 640, many[1], tasks=many[2], resamples=300, seed=seed)
        covered += found.low <= 0.25 <= found.high
        rows = [f"r{n}" for n in range(640)]  # the negative control: each row a user
        narrow = paired_bootstrap(many[0], [0.0] * 640, rows, tasks=many[2], resamples=50, seed=seed)
        alone += narrow.low <= 0.25 <= narrow.high
    assert 87 <= covered <= 99 and alone < 50


def test_draws_that_hold_every_task_are_those_of_before() -> None:
    # Everybody has every task: no draw misses one, and a joint mean is drawn as a single task's is.
    rng = np.random.default_rng(1)
    scores = rng.random(20)
    users = [f"u{n}" for n in range(20)]
    one = paired_bootstrap(list(scores), [0.0] * 20, users, resamples=300)
    two = paired_bootstrap([*scores, *scores], [0.0] * 40, users * 2, ["a"] * 20 + ["b"] * 20, resamples=300)
    assert (one.low, one.high) == pytest.approx((two.low, two.high))


def test_a_task_of_one_user_has_no_joint_interval() -> None:
    users = [f"u{i}" for i in range(20)]
    tasks = ["rare"] + ["tag"] * 19
    with pytest.raises(TooFewUsers, match="too few users of task 'rare'"):
        paired_bootstrap([1] * 20, [0] * 20, users, tasks=tasks)


def test_more_tasks_than_so_few_users_hold_in_a_draw() -> None:
    scores, users, tasks = few_of_each({f"t{n}": 0.5 for n in range(60)})
    with pytest.raises(TooFewUsers, match="120 for 60 tasks"):
        paired_bootstrap(scores, [0.0] * 120, users, tasks=tasks)


def test_share_worse_is_over_users() -> None:
    users = ["a", "a", "b", "c"]
    assert share_worse([1, 0, 0.5, 1], [0.5, 0.5, 1, 0], users) == pytest.approx(1 / 3)
    assert share_worse([0.1, 0.2], [0.2, 0.1], ["a", "a"]) == 0
    # 0.1 + 0.2 is more than 0.3 in binary: no user is worse off by that.
    assert share_worse([0.3, 0.0], [0.1, 0.2], ["a", "a"]) == 0


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ({"scores": [1.0]}, r"scores has shape \(1,\), expected \(2,\)"),
        ({"base": [0.0] * 3}, r"base has shape \(3,\), expected \(2,\)"),
        ({"scores": [1.0, float("nan")]}, "scores: row 1 is not finite"),
        ({"users": ["a", "a"]}, r"1 user\(s\): an interval over users needs at least 2"),
        ({"tasks": ["t"]}, "1 tasks for 2 users"),
        ({"resamples": 0}, "resamples 0"),
        ({"confidence": 1.0}, "confidence 1.0"),
    ],
)
def test_refusals(arguments: dict[str, object], reason: str) -> None:
    given = {"scores": [1.0, 0.0], "base": [0.0, 0.0], "users": ["a", "b"]} | arguments
    with pytest.raises(ValueError, match=reason):
        paired_bootstrap(**given)  # type: ignore[arg-type]


def test_share_worse_refuses_no_rows() -> None:
    with pytest.raises(ValueError, match="no rows"):
        share_worse([], [], [])
