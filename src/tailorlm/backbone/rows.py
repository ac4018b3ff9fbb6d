"""Rows of token ids with a completion, and their batch: right-padded, labels on the completion only.

Knows nothing of text. Source: design section 3 (loss on the completion only).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

IGNORE = -100


@dataclass(frozen=True, slots=True)
class Row:
    """Token ids of a prompt (the first `prompt_tokens`) and its completion."""

    id: str
    ids: list[int]
    prompt_tokens: int


@dataclass(frozen=True, slots=True)
class RowBatch:
    """N rows padded to T on the right; `index[i]` is the adapter of row i, -1 for the base model.

    input_ids, attention_mask, labels: (N, T) long; labels are -100 off the completion. index: (N,) long.
    """

    input_ids: Tensor
    attention_mask: Tensor
    labels: Tensor
    index: Tensor
    ids: tuple[str, ...]

    def to(self, device: torch.device | str) -> "RowBatch":
        """The batch on another device."""
        return RowBatch(
            self.input_ids.to(device),
            self.attention_mask.to(device),
            self.labels.to(device),
            self.index.to(device),
            self.ids,
        )


def collate(rows: Sequence[Row], pad_id: int, index: Sequence[int] | Tensor) -> RowBatch:
    """One batch of `rows` in order. Raises ValueError on a row without prompt or completion."""
    _check(rows, len(index))
    tokens = max(len(row.ids) for row in rows)
    short = [tokens - len(row.ids) for row in rows]
    pairs = list(zip(rows, short, strict=True))
    return RowBatch(
        input_ids=torch.tensor([row.ids + [pad_id] * n for row, n in pairs]),
        attention_mask=torch.tensor([[1] * len(row.ids) + [0] * n for row, n in pairs]),
        labels=torch.tensor(
            [[IGNORE] * row.prompt_tokens + row.ids[row.prompt_tokens :] + [IGNORE] * n for row, n in pairs]
        ),
        index=torch.as_tensor(index, dtype=torch.long),
        ids=tuple(row.id for row in rows),
    )


def _check(rows: Sequence[Row], indices: int) -> None:
    if not rows or indices != len(rows):
        raise ValueError(f"a batch needs rows, each with an index: {len(rows)} rows, {indices} indices")
    for row in rows:
        if not 0 < row.prompt_tokens < len(row.ids):
            raise ValueError(
                f"row {row.id!r} has {row.prompt_tokens} prompt tokens of {len(row.ids)}; "
                "prompt and completion need at least one each"
            )
