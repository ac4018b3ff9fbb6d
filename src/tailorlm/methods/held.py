"""How well a method in training does on users whom it is not trained on: the mean loss of their completions.

Such users come from the training file, never from dev or test: what they decide (when to stop, which state is the
best) is a part of training. Knows nothing of profiles or of how adapters are made. Source: issue 2 (evaluation on
held-out users meanwhile); P2P section 3.2 (the loss, without its regularisers).
"""

import random
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from tailorlm.adapters.batch import Adapters
from tailorlm.backbone.inject import Injector
from tailorlm.backbone.loss import row_losses
from tailorlm.backbone.rows import RowBatch, collate
from tailorlm.methods.source import Bench
from tailorlm.training.examples import TrainingSet
from tailorlm.training.settings import TrainSettings

LOSS, UNKNOWN = "held_loss", "held_unknown"
"""What an evaluation is called in a run's curve; UNKNOWN: statements that no slot of the network is for."""
ROWS = 8
"""Rows that each cut of a held-out user is asked, at most: an evaluation's cost goes with users, not with items."""
BATCH = 64


def check_monitor(train: TrainSettings) -> None:
    """ValueError where the held-out loss would be called better when it is larger."""
    if train.monitor == LOSS and train.mode == "max":
        raise ValueError(f'train.monitor is "{LOSS}", a loss: set train.mode to "min"')


def held_batches(bench: Bench, rows: TrainingSet, owners: Sequence[int], seed: int) -> list[RowBatch]:
    """The same rows at each evaluation, at most ROWS a cut; `owners` (N,) become the batches' `index`.

    What a user's cut is asked depends on the cut and the seed, not on other users. ValueError where there is no row.
    """
    picked = sorted(_drawn(rows, seed), key=lambda n: (len(rows.rows[n].ids), n))
    if not picked:
        raise ValueError("data.validation: the users kept for it have no item to be asked; keep more users")
    parts = [picked[start : start + BATCH] for start in range(0, len(picked), BATCH)]
    return [collate([rows.rows[n] for n in part], bench.backbone.pad_id, [owners[n] for n in part]) for part in parts]


def _drawn(rows: TrainingSet, seed: int) -> list[int]:
    of_cut: dict[int, list[int]] = {}
    for number, cut in enumerate(rows.cut):
        of_cut.setdefault(cut, []).append(number)
    found = []
    for cut, numbers in of_cut.items():
        about = rows.cuts[cut]
        dice = random.Random(f"{seed}/held/{about.user_id}/{about.position}")
        found += dice.sample(numbers, min(ROWS, len(numbers)))
    return found


@torch.no_grad()
def held_loss(
    bench: Bench, injector: Injector, asked: Sequence[RowBatch], adapters: Callable[[Tensor], Adapters]
) -> float:
    """Mean over all rows of `asked`, nats a completion token; `adapters` makes those of the owners (P,) it is given."""
    losses = []
    for batch in asked:
        owners, index = batch.index.unique(return_inverse=True)
        with injector(adapters(owners), index):
            losses.append(row_losses(bench.backbone, batch).cpu())
    return float(torch.cat(losses).mean())
