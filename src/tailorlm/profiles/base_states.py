"""A causal LM's own last-layer states as text vectors: the mean over tokens, or the last token's.

Needs no second model. Knows nothing of users. Source: P2P uses last-token states of an embedding model
(section 3.2); issue 2 asks for the base model's own.
"""

from collections.abc import Callable, Sequence
from typing import Any, Literal

import torch

from tailorlm.profiles.encode import OnLong, check_lengths, mark, unit_scale

Pooling = Literal["mean", "last"]
Forward = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


class BaseStatesEncoder:
    """Vectors from `forward(input_ids (N, T), attention_mask (N, T)) -> last hidden states (N, T, H)`.

    `id` must name the model and its revision: it keys the cache. `limit` is the longest text in tokens, with the
    `instruction` that stands before every text.
    """

    def __init__(
        self, forward: Forward, tokenizer: Any, size: int, id: str, limit: int, pooling: Pooling = "mean",
        batch_size: int = 16, on_long: OnLong = "error", device: str | torch.device = "cpu", instruction: str = "",
    ) -> None:  # fmt: skip
        self.forward, self.tokenizer, self.size, self.limit = forward, tokenizer, size, limit
        self.id, self.instruction = f"{id}#states-{pooling}-{limit}{mark(instruction)}", instruction
        self.pool = {"mean": mean_state, "last": last_state}[pooling]
        self.batch_size, self.on_long, self.device, self.truncated = batch_size, on_long, device, 0

    @classmethod
    def of_model(cls, model: Any, tokenizer: Any, id: str, **settings: Any) -> "BaseStatesEncoder":
        """From a Hugging Face causal LM: its decoder, no head; `limit` is its context unless given."""
        settings.setdefault("limit", int(model.config.max_position_embeddings))
        settings.setdefault("device", model.device)

        def forward(input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
            found: torch.Tensor = model.base_model(input_ids, attention_mask=attention_mask).last_hidden_state
            return found

        return cls(forward, tokenizer, int(model.config.hidden_size), id, **settings)

    def __call__(self, texts: Sequence[str]) -> torch.Tensor:
        """(N, E) float32 on the CPU, in the order of `texts`. ValueError for too long or no tokens."""
        rows = [self.tokenizer(self.instruction + text, truncation=False, verbose=False).input_ids for text in texts]
        self.truncated += check_lengths([len(row) for row in rows], self.limit, self.id, self.on_long)
        if any(not row for row in rows):
            raise ValueError(f"text {rows.index([])} has no tokens; expected at least one")
        order = sorted(range(len(rows)), key=lambda i: len(rows[i]))
        vectors = torch.empty(len(rows), self.size)
        for start in range(0, len(order), self.batch_size):
            part = order[start : start + self.batch_size]
            vectors[part] = self._encode([rows[i][: self.limit] for i in part])
        return vectors

    @torch.no_grad()
    def _encode(self, rows: Sequence[Sequence[int]]) -> torch.Tensor:
        longest = max(map(len, rows))
        ids = torch.tensor([[*row, *[0] * (longest - len(row))] for row in rows], device=self.device)
        mask = torch.tensor([[1] * len(row) + [0] * (longest - len(row)) for row in rows], device=self.device)
        return unit_scale(self.pool(self.forward(ids, mask).float(), mask)).cpu()


def mean_state(states: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """(N, T, H), (N, T) -> (N, H): the mean over real tokens."""
    weight = mask.unsqueeze(-1).to(states.dtype)
    return (states * weight).sum(1) / weight.sum(1)


def last_state(states: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """(N, T, H), (N, T) right-padded -> (N, H): the state at the last real token."""
    return states[torch.arange(len(states), device=states.device), mask.sum(1) - 1]
