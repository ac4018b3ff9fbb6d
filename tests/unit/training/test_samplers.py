"""The sampler: sqrt-size mixing, users in turn, buckets, exact state, independence of order, speed."""

import random
import time
from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from tailorlm.training.samplers import BatchSampler, Collated

SIZES = {"headline": 400, "rating": 100, "tagging": 900, "tweet": 25}


def examples(per_user: int = 5) -> tuple[list[str], list[str], list[int]]:
    tasks = [task for task, size in SIZES.items() for _ in range(size)]
    users = [f"{task}-u{i // per_user}" for task, size in SIZES.items() for i in range(size)]
    lengths = np.random.default_rng(0).integers(10, 200, len(tasks)).tolist()
    return tasks, users, lengths


def drawn(sampler: BatchSampler, batches: int) -> list[list[int]]:
    return [next(sampler).tolist() for _ in range(batches)]


@pytest.mark.parametrize("buckets", [1, 4])
def test_tasks_come_with_weight_sqrt_of_their_size(buckets: int) -> None:
    tasks, users, lengths = examples(per_user=1)
    sampler = BatchSampler(tasks, users, lengths, users_per_batch=4, buckets=buckets, seed=1)
    counts = Counter(tasks[i] for batch in drawn(sampler, 6000) for i in batch)
    total = sum(size**0.5 for size in SIZES.values())
    for task, size in SIZES.items():
        assert counts[task] / counts.total() == pytest.approx(size**0.5 / total, abs=0.015)


def test_a_batch_has_n_tasks_with_equal_shares_and_rows_of_whole_users() -> None:
    tasks, users, _ = examples()
    sampler = BatchSampler(tasks, users, users_per_batch=7, rows_per_user=3, tasks_per_batch=3, seed=2)
    seen: Counter[str] = Counter()
    for batch in drawn(sampler, 300):
        assert len(batch) == len(set(batch)) == 21
        by_user = Counter(users[i] for i in batch)
        assert set(by_user.values()) == {3} and len(by_user) == 7
        by_task = Counter(tasks[i] for i in batch)
        assert sorted(by_task.values()) == [6, 6, 9]
        seen.update(by_task.keys())
    assert seen["tagging"] > seen["rating"] > seen["tweet"]


def test_users_take_turns_and_all_rows_come() -> None:
    tasks, users, _ = examples()
    sampler = BatchSampler(tasks, users, users_per_batch=4, tasks_per_batch=4, rows_per_user=2, seed=3)
    batches = drawn(sampler, 6000)
    rows = Counter(i for batch in batches for i in batch)
    assert rows.keys() == set(range(len(tasks)))
    by_user = Counter(users[i] for batch in batches for i in batch)
    turns = [by_user[user] for user in by_user if user.startswith("headline")]
    assert max(turns) - min(turns) <= 2


def test_rows_of_a_user_are_drawn_uniformly_without_replacement() -> None:
    sampler = BatchSampler(["t"] * 6, ["u"] * 6, users_per_batch=1, rows_per_user=3, seed=0)
    batches = [tuple(sorted(b)) for b in drawn(sampler, 4000)]
    counts = Counter(batches)
    assert len(counts) == 20 and all(len(set(b)) == 3 for b in batches)
    assert max(abs(n - 200) for n in counts.values()) < 70


def test_a_user_with_fewer_rows_gives_all_of_them() -> None:
    sampler = BatchSampler(["t"] * 5, ["a", "a", "b", "b", "b"], users_per_batch=2, rows_per_user=4)
    assert sorted(next(sampler).tolist()) == [0, 1, 2, 3, 4]


def test_buckets_keep_lengths_together() -> None:
    tasks, users, lengths = examples()
    plain = BatchSampler(tasks, users, users_per_batch=8)
    bucketed = BatchSampler(tasks, users, lengths, users_per_batch=8, buckets=6)

    def padding(sampler: BatchSampler) -> float:
        lens = [[lengths[i] for i in batch] for batch in drawn(sampler, 300)]
        return 1 - sum(map(sum, lens)) / sum(max(batch) * len(batch) for batch in lens)

    assert padding(bucketed) < 0.4 * padding(plain)
    assert {i for batch in drawn(bucketed, 4000) for i in batch} == set(range(len(tasks)))


@hypothesis_settings(max_examples=30, deadline=None)
@given(st.integers(0, 60), st.integers(1, 5), st.integers(1, 4), st.sampled_from([None, 1, 2]), st.integers(1, 3))
def test_state_continues_the_stream_exactly(
    before: int, users_per_batch: int, rows: int, tasks_per_batch: int | None, buckets: int
) -> None:
    rng = random.Random(0)
    tasks = [rng.choice("ab") for _ in range(60)]
    users = [rng.choice("uvwxyz") for _ in range(60)]
    made: dict[str, Any] = {
        "users_per_batch": max(users_per_batch, tasks_per_batch or 1),
        "rows_per_user": rows,
        "tasks_per_batch": tasks_per_batch,
        "buckets": buckets,
        "seed": 4,
    }
    lengths = [rng.randrange(100) for _ in range(60)]
    sampler = BatchSampler(tasks, users, lengths, **made)
    drawn(sampler, before)
    state = sampler.state_dict()
    expected = drawn(sampler, 25)
    again = BatchSampler(tasks, users, lengths, **made)
    drawn(again, 3)
    again.load_state_dict(state)
    assert drawn(again, 25) == expected


def test_the_stream_is_a_function_of_the_seed() -> None:
    tasks, users, lengths = examples()

    def stream(seed: int) -> list[list[int]]:
        return drawn(BatchSampler(tasks, users, lengths, users_per_batch=4, buckets=2, seed=seed), 20)

    assert stream(0) == stream(0) != stream(1)
    forever = BatchSampler(tasks, users, lengths, users_per_batch=4, buckets=2)
    assert [batch.tolist() for batch, _ in zip(forever, range(20), strict=False)] == stream(0)


def test_names_order_does_not_depend_on_their_hash() -> None:
    """The numbers that this stream gave when it was written: a process's hash seed changes nothing."""
    tasks, users, lengths = examples()
    sampler = BatchSampler(tasks, users, lengths, users_per_batch=3, tasks_per_batch=2, buckets=2, seed=7)
    assert drawn(sampler, 3) == FIXED


FIXED = [[1116, 1360, 258], [152, 134, 530], [111, 27, 1307]]


def test_a_state_of_other_data_or_settings_is_refused() -> None:
    state = BatchSampler(["t"] * 4, list("abcd"), users_per_batch=2).state_dict()
    for other in (
        BatchSampler(["t"] * 4, list("abce"), users_per_batch=2, seed=1),
        BatchSampler(["t"] * 4, list("abcc"), users_per_batch=2),
        BatchSampler(["t"] * 4, list("abcd"), users_per_batch=3),
    ):
        with pytest.raises(ValueError, match="other examples or settings"):
            other.load_state_dict(state)


@pytest.mark.parametrize(
    ("tasks", "users", "lengths", "extra", "message"),
    [
        ([], [], None, {}, "no examples"),
        (["t"], ["u", "v"], None, {}, "1 tasks, 2 users"),
        (["t"], ["u"], [1, 2], {}, "2 lengths"),
        (["t"], ["u"], None, {"buckets": 2}, "buckets is 2"),
        (["t"], ["u"], [1], {"buckets": 0}, "buckets is 0"),
        (["t"], ["u"], None, {"users_per_batch": 0}, "users_per_batch is 0"),
        (["t"], ["u"], None, {"rows_per_user": 0}, "rows_per_user 0"),
        (["t"], ["u"], None, {"tasks_per_batch": 2}, "tasks_per_batch is 2; valid is 1 to 1"),
    ],
)
def test_what_cannot_make_a_batch_is_refused(
    tasks: list[str], users: list[str], lengths: list[int] | None, extra: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        BatchSampler(tasks, users, lengths, **{"users_per_batch": 2, **extra})


def test_collated_passes_batches_and_state_on() -> None:
    sampler = BatchSampler(["t"] * 9, list("abcdefghi"), users_per_batch=2)
    batches = Collated(sampler, lambda numbers: tuple(int(n) for n in numbers))
    next(batches)
    state = batches.state_dict()
    expected = [next(batches) for _ in range(9)]
    batches.load_state_dict(state)
    assert [batch for batch, _ in zip(iter(batches), range(9), strict=False)] == expected


def test_a_batch_costs_well_under_a_millisecond() -> None:
    """The bound is the requirement's; the machine is shared, so that the fastest of many batches is taken."""
    count = 60_000
    tasks, users = [f"t{i % 7}" for i in range(count)], [f"u{i // 30}" for i in range(count)]
    lengths = [i % 311 for i in range(count)]
    sampler = BatchSampler(tasks, users, lengths, users_per_batch=16, rows_per_user=4, tasks_per_batch=4, buckets=4)
    drawn(sampler, 50)
    times = []
    for _ in range(200):
        begin = time.perf_counter()
        next(sampler)
        times.append(time.perf_counter() - begin)
    assert min(times) < 1e-3
