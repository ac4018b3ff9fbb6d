"""An endless, seeded stream of batches of example numbers: tasks by the root of their size, users in turn.

Knows nothing of examples but their task, user and length. Source: P2P's training settings (reference section
1: tasks drawn with weight sqrt(dataset size), 4 tasks a batch); design section 3 (no set or dict order).
"""

import hashlib
from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from tailorlm.training.passes import Passes
from tailorlm.training.turns import Ints, Turns

B = TypeVar("B")
Floats = NDArray[np.float64]
_NO_ROW = 2**62


class BatchSampler:
    """`next(sampler)` gives the numbers of a batch's examples, (N,) int64, user by user, never one twice.

    Example i has `tasks[i]`, `users[i]` and `lengths[i]` (tokens; needed for more than one bucket). A batch
    takes examples of one length bucket (equal shares of all examples); in it tasks with weight sqrt(their
    size): `tasks_per_batch` different ones with equal numbers of users, or, when None, one draw a user.
    `users[i]` names the rows that share an adapter: a user's id, or an id and a cut.
    A task's users take turns in an order shuffled anew for each pass; a user gives at most `rows_per_user`
    rows, drawn without replacement. Where a bucket has fewer tasks or users than asked for, or a user fewer
    rows, the batch is smaller: losses are means over rows, so that changes no row's meaning.
    """

    def __init__(
        self,
        tasks: Sequence[str],
        users: Sequence[str],
        lengths: Sequence[int] | None = None,
        *,
        users_per_batch: int,
        rows_per_user: int = 1,
        tasks_per_batch: int | None = None,
        buckets: int = 1,
        seed: int = 0,
    ) -> None:
        """Raises ValueError for sequences of unequal length or numbers that cannot make a batch."""
        _check(len(tasks), len(users), None if lengths is None else len(lengths), buckets)
        self.task_names, task = _codes(tasks)
        _user_names, user = _codes(users)
        bucket = _buckets(np.asarray([0] * len(tasks) if lengths is None else lengths, np.int64), buckets)
        _check_counts(users_per_batch, rows_per_user, tasks_per_batch, len(self.task_names))
        self._users_per_batch, self._rows_per_user = users_per_batch, rows_per_user
        self._tasks_per_batch = tasks_per_batch
        self._rows: Ints = np.lexsort((np.arange(len(task)), user, task, bucket))
        keys = np.stack([bucket, task, user], 1)[self._rows]
        starts = np.flatnonzero(np.r_[True, (keys[1:] != keys[:-1]).any(1)])
        self._starts, self._counts = starts, np.diff(np.r_[starts, len(task)])
        self._turns = Turns(keys[starts, :2], seed)
        self._bucket_share, self._task_share = _shares(bucket, task)
        self._rng = np.random.default_rng(np.random.SeedSequence([seed, 0]))
        self._made_of = _fingerprint(
            (self.task_names, users_per_batch, rows_per_user, tasks_per_batch, buckets, seed),
            task,
            user,
            bucket,
        )

    def __iter__(self) -> "BatchSampler":
        """The stream itself."""
        return self

    def __next__(self) -> Ints:
        """The next batch, (N,)."""
        bucket = int(np.searchsorted(self._bucket_share.cumsum(), self._rng.random(), side="right"))
        bucket = min(bucket, len(self._bucket_share) - 1)
        slots = self._slots(self._task_share[bucket])
        units = [self._turns.take(bucket, task, count) for task, count in slots]
        return self._draw_rows(np.concatenate(units))

    def state_dict(self) -> dict[str, Any]:
        """Where the stream is: a few numbers per task and bucket."""
        return {"rng": self._rng.bit_generator.state, "turns": self._turns.state(), "made_of": self._made_of}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue there. Raises ValueError where the state is of other data or other numbers."""
        if state["made_of"] != self._made_of:
            raise ValueError(
                "the sampler's state is of other examples or settings than these; resume with "
                "the same data, batch sizes and seed, or start a new run"
            )
        self._rng.bit_generator.state = state["rng"]
        self._turns.set_state(state["turns"])

    def _slots(self, share: Floats) -> list[tuple[int, int]]:
        """How many users of which tasks, in the order drawn."""
        if self._tasks_per_batch is None:
            counts = self._rng.multinomial(self._users_per_batch, share)
            return [(int(t), int(counts[t])) for t in np.flatnonzero(counts)]
        n = min(self._tasks_per_batch, int((share > 0).sum()))
        drawn = self._rng.choice(len(share), n, replace=False, p=share)
        each, extra = divmod(self._users_per_batch, n)
        return [(int(t), each + (i < extra)) for i, t in enumerate(drawn)]

    def _draw_rows(self, units: Ints) -> Ints:
        """At most `rows_per_user` different rows of each unit, uniformly, drawn for all units together."""
        counts, wanted = self._counts[units], self._rows_per_user
        if wanted == 1:
            only: Ints = self._rows[self._starts[units] + self._rng.integers(0, counts)]
            return only
        picks = np.full((len(units), wanted), _NO_ROW)
        for j in range(wanted):
            pick = self._rng.integers(0, np.maximum(counts - j, 1))
            for earlier in range(j):  # it counts what is left: step over each earlier one, smallest first
                pick += pick >= picks[:, earlier]
            picks[:, j] = np.where(j < counts, pick, _NO_ROW)
            picks[:, : j + 1].sort(axis=1)
        there = picks < counts[:, None]
        drawn: Ints = self._rows[(self._starts[units][:, None] + picks)[there]]
        return drawn


class Collated(Generic[B]):
    """A sampler's batches made into what the objective takes; its state is the sampler's."""

    def __init__(self, sampler: BatchSampler | Passes, collate: Callable[[Ints], B]) -> None:
        """`collate` turns example numbers (N,) into a batch, always the same one."""
        self._sampler, self._collate = sampler, collate
        self.state_dict, self.load_state_dict = sampler.state_dict, sampler.load_state_dict

    def __iter__(self) -> "Collated[B]":
        """The stream itself."""
        return self

    def __next__(self) -> B:
        """The next batch."""
        return self._collate(next(self._sampler))


def _codes(names: Sequence[str]) -> tuple[tuple[str, ...], Ints]:
    """Sorted different names, and each entry's place among them."""
    different = tuple(sorted(set(names)))
    place = {name: i for i, name in enumerate(different)}
    return different, np.fromiter((place[name] for name in names), np.int64, len(names))


def _buckets(lengths: Ints, count: int) -> Ints:
    """The bucket of each length: `count` equal shares, where an equal length is always the same bucket."""
    edges = np.quantile(lengths, np.arange(1, count) / count)
    _used, bucket = np.unique(np.searchsorted(edges, lengths, side="left"), return_inverse=True)
    return bucket.astype(np.int64)


def _shares(bucket: Ints, task: Ints) -> tuple[Floats, Floats]:
    """P(bucket) and P(task | bucket), so that over all batches tasks have weight sqrt(size)."""
    counts = np.zeros((bucket.max() + 1, task.max() + 1))
    np.add.at(counts, (bucket, task), 1.0)
    sizes = counts.sum(0)
    joint = counts / sizes * np.sqrt(sizes) / np.sqrt(sizes).sum()
    return joint.sum(1), joint / joint.sum(1, keepdims=True)


def _fingerprint(numbers: tuple[object, ...], *columns: Ints) -> str:
    digest = hashlib.sha256(repr(numbers).encode())
    for part in columns:
        digest.update(part.tobytes())
    return digest.hexdigest()


def _check(tasks: int, users: int, lengths: int | None, buckets: int) -> None:
    if tasks == 0:
        raise ValueError("there are no examples to sample from")
    if users != tasks or lengths not in (None, tasks):
        raise ValueError(
            f"an example has one task, one user and one length: got {tasks} tasks, {users} users, {lengths} lengths"
        )
    if buckets < 1 or (buckets > 1 and lengths is None):
        raise ValueError(f"buckets is {buckets}; valid is 1, or more when lengths are given")


def _check_counts(users: int, rows: int, tasks: int | None, known: int) -> None:
    if users < 1 or rows < 1:
        raise ValueError(f"users_per_batch is {users} and rows_per_user {rows}; valid is at least 1")
    if tasks is not None and not 1 <= tasks <= min(known, users):
        raise ValueError(
            f"tasks_per_batch is {tasks}; valid is 1 to {min(known, users)} "
            f"({known} tasks, {users} users a batch), or none"
        )
