"""The batches that methods train on: rows drawn by task and user, padded together.

Knows nothing of what is trained. Source: design section 2 (cut points); reference section 1 (batches of P2P).
"""

from collections.abc import Sequence
from dataclasses import dataclass

from tailorlm.backbone.rows import RowBatch, collate
from tailorlm.data.cuts import Cut
from tailorlm.data.records import User
from tailorlm.methods.source import Bench
from tailorlm.training.examples import TrainingSet, training_set
from tailorlm.training.passes import Passes
from tailorlm.training.samplers import BatchSampler, Collated
from tailorlm.training.settings import require


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchSettings:
    """A batch holds `users` users of `tasks` tasks (None: one draw a user) with up to `rows` items each.

    ValueError for less than one of any.
    """

    users: int = 32
    rows: int = 1
    tasks: int | None = 4
    buckets: int = 1

    def __post_init__(self) -> None:
        for name in ("users", "rows", "buckets"):
            require(self, name, getattr(self, name) >= 1, "at least 1", "batch")
        require(self, "tasks", self.tasks is None or self.tasks >= 1, "at least 1, or left out", "batch")


def all_items(bench: Bench, users: Sequence[User], seed: int = 0) -> TrainingSet:
    """Every item of every user once: what a method without profiles trains on. `seed` is that of pairs' negatives."""
    cuts = [Cut(user.id, 0) for user in users if user.history]
    return training_set(users, cuts, bench.task_of, bench.backbone.tokenizer, bench.max_tokens, bench.pools, seed)


def batches(
    bench: Bench, rows: TrainingSet, owners: Sequence[int], settings: BatchSettings, seed: int,
    units: Sequence[str] | None = None,
) -> Collated[RowBatch]:  # fmt: skip
    """An endless seeded stream; `owners` (N,) are the rows' profile numbers, a batch's `index` those of its rows.

    `units` (N,) names the rows that take turns as one user: by default those of one profile.
    """
    sampler = BatchSampler(
        rows.task,
        [f"{owner:09d}" for owner in owners] if units is None else units,
        [len(row.ids) for row in rows.rows],
        users_per_batch=settings.users,
        rows_per_user=settings.rows,
        tasks_per_batch=None if settings.tasks is None else min(settings.tasks, len(set(rows.task))),
        buckets=settings.buckets,
        seed=seed,
    )
    pad = bench.backbone.pad_id
    return Collated(sampler, lambda picked: collate([rows.rows[i] for i in picked], pad, [owners[i] for i in picked]))


def passes(bench: Bench, rows: TrainingSet, settings: BatchSettings, seed: int) -> Collated[RowBatch]:
    """An endless seeded stream in which every row comes once a pass, users x rows of them a batch, whoever's they are.

    A batch's `index` is 0: one adapter for all.
    """
    pad = bench.backbone.pad_id
    return Collated(
        Passes(len(rows.rows), settings.users * settings.rows, seed),
        lambda picked: collate([rows.rows[i] for i in picked], pad, [0] * len(picked)),
    )


def count_tokens(batch: RowBatch) -> int:
    """Tokens of a batch, without padding."""
    return int(batch.attention_mask.sum())
