"""Which pieces fit a user: scores of sharers' gates on the user's own history, module by module, and their weights.

A piece is a sharer's LoRA at one site. Its score is LN(x) . LN(g) / sqrt(d), the mean over the answers' tokens of a
batch of the user's items run through base and task LoRA; the k best, softmax; the weights' mean over the batches.
Knows nothing of how gates were trained. Source: Per-Pcs (Tan et al., 2024); reference section 3.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

import torch
from torch import Tensor

from tailorlm.adapters.sites import Group
from tailorlm.backbone.inputs import site_inputs
from tailorlm.backbone.model import Backbone
from tailorlm.backbone.rows import IGNORE, Row, RowBatch, collate

# Far below torch's usual 1e-5: a gate is small (its steps are 1e-5 each), and its direction is what counts.
EPSILON = 1e-12


def standardised(x: Tensor) -> Tensor:
    """(..., I) with mean 0 and variance 1, float32; zero where all elements are equal."""
    return torch.nn.functional.layer_norm(x.float(), x.shape[-1:], eps=EPSILON)


@dataclass(frozen=True, eq=False)
class Pieces:
    """The gates of P sharers, standardised: group name -> (P, L, I)."""

    groups: tuple[Group, ...]
    gates: Mapping[str, Tensor]

    @staticmethod
    def of(groups: Sequence[Group], gates: Mapping[str, Tensor]) -> "Pieces":
        """From gates as trained."""
        return Pieces(tuple(groups), {group.name: standardised(gates[group.name]) for group in groups})

    def row_scores(self, backbone: Backbone, batch: RowBatch) -> dict[str, Tensor]:
        """group name -> (N, L, P): each row's scores, SUMMED over its answer's tokens; what is injected takes part."""
        answer = (batch.labels != IGNORE).to(backbone.device)
        sites = [site for group in self.groups for site in group.sites]
        # Scores are linear in LN(x): a sum over tokens is all that is kept of the inputs.
        summed = site_inputs(backbone, batch, sites, lambda x: _answer_sum(x, answer))
        return {group.name: self._scores(group, summed) for group in self.groups}

    def _scores(self, group: Group, summed: Mapping[str, Tensor]) -> Tensor:
        inputs = torch.stack([summed[site.path] for site in group.sites], 1)
        scores: Tensor = torch.einsum("nli,pli->nlp", inputs, self.gates[group.name]) / group.d_in**0.5
        return scores


def _answer_sum(x: Tensor, answer: Tensor) -> Tensor:
    """Inputs (N, T, I) and which tokens are the answer's (N, T) -> the sum of LN(x) over these, (N, I)."""
    return torch.einsum("nti,nt->ni", standardised(x), answer.float())


def user_weights(
    backbone: Backbone, pieces: Pieces, rows: Sequence[Row], own: Sequence[Sequence[int]],
    top: int, batch: int, rows_at_once: int, under: Callable[[int], AbstractContextManager[None]],
    barred: Tensor | None = None,
) -> dict[str, Tensor]:  # fmt: skip
    """group name -> (U, L, P): the sharers' weights, summing to 1 at each site; all zero for a user without rows.

    `own` (U) are the numbers of each user's rows, `batch` of them a batch, in order; `rows_at_once` run together,
    whosever they are; `under` sets the task LoRA for so many rows. `barred` (U, P): whose pieces a user does not get.
    """
    bins = _Bins.of(own, batch)
    order = sorted(bins.of_row, key=lambda n: (-len(rows[n].ids), n))
    sums: dict[str, Tensor] = {}
    for start in range(0, len(order), rows_at_once):
        some = order[start : start + rows_at_once]
        place = torch.tensor([bins.of_row[n] for n in some], device=backbone.device)
        with under(len(some)):
            found = pieces.row_scores(backbone, collate([rows[n] for n in some], backbone.pad_id, [0] * len(some)))
        for name, scores in found.items():
            empty = scores.new_zeros(len(bins.users), *scores.shape[1:])
            sums.setdefault(name, empty).index_add_(0, place, scores)
    tokens = bins.tokens(rows).to(backbone.device).view(-1, 1, 1)
    if barred is not None and sums:
        never = barred[bins.users].to(backbone.device).unsqueeze(1)
        sums = {name: scores.masked_fill(never, -torch.inf) for name, scores in sums.items()}
    return {
        group.name: bins.mean(
            best(sums[group.name] / tokens, top) if sums else None, pieces.gates[group.name], len(own)
        )
        for group in pieces.groups
    }


def best(scores: Tensor, top: int) -> Tensor:
    """(..., P) scores -> (..., P) weights: softmax over the `top` best (all, where there are fewer), zero elsewhere."""
    values, places = scores.topk(min(top, scores.shape[-1]), dim=-1)
    return torch.zeros_like(scores).scatter_(-1, places, values.softmax(-1))


@dataclass(frozen=True)
class _Bins:
    """Batches of users' rows: row number -> batch; batch -> user."""

    of_row: dict[int, int]
    users: list[int]

    @staticmethod
    def of(own: Sequence[Sequence[int]], batch: int) -> "_Bins":
        of_row: dict[int, int] = {}
        users: list[int] = []
        for user, numbers in enumerate(own):
            for start in range(0, len(numbers), batch):
                of_row.update(dict.fromkeys(numbers[start : start + batch], len(users)))
                users.append(user)
        return _Bins(of_row, users)

    def tokens(self, rows: Sequence[Row]) -> Tensor:
        """(bins,) answer tokens of each batch."""
        counts = torch.zeros(len(self.users))
        for number, place in self.of_row.items():
            counts[place] += len(rows[number].ids) - rows[number].prompt_tokens
        return counts

    def mean(self, weights: Tensor | None, gates: Tensor, users: int) -> Tensor:
        """(bins, L, P) -> each user's mean over its batches, (U, L, P); `gates` (P, L, I) say L, P and the device."""
        total = torch.zeros(users, gates.shape[1], gates.shape[0], device=gates.device)
        if weights is None:
            return total
        place = torch.tensor(self.users, device=gates.device)
        counts = torch.bincount(place, minlength=users).clamp_min(1).view(-1, 1, 1)
        return total.index_add_(0, place, weights) / counts
