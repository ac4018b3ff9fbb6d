"""Negative log-likelihood of the completions, row by row, with logits only where labels are.

Knows nothing of adapters: what the injector has set is what is scored. Source: design section 3 (mean per
sample); NEFTune (Jain et al. 2023); label smoothing as in P2P's published settings.
"""

from contextlib import nullcontext
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, pad

from tailorlm.backbone.checkpointing import checkpointed
from tailorlm.backbone.last_mlp import last_mlp_at
from tailorlm.backbone.model import Backbone
from tailorlm.backbone.patch import replaced_forward
from tailorlm.backbone.rows import IGNORE, RowBatch


def row_losses(
    backbone: Backbone,
    batch: RowBatch,
    smoothing: float = 0.0,
    neftune: float = 0.0,
    generator: torch.Generator | None = None,
) -> Tensor:
    """(N,) float32, nats: the mean over each row's completion tokens.

    `smoothing` spreads that much of the target over the vocabulary; `neftune` (alpha) adds uniform noise of
    magnitude alpha / sqrt(T H) to the embeddings, T the row's own length: both for training only.
    """
    total, count = _sums(backbone, batch, smoothing, neftune, generator)
    return total / count


def row_log_probs(backbone: Backbone, batch: RowBatch) -> Tensor:
    """(N,) float32, nats: the log-probability of each row's completion, its end-of-turn token included."""
    total, _ = _sums(backbone, batch, 0.0, 0.0, None)
    return -total


def label_logits(backbone: Backbone, batch: RowBatch, embeds: Tensor | None = None) -> Tensor:
    """(P, V): the logits that predict the batch's P labels, row by row; all other positions skip the head and, unless
    layers are recomputed, the last MLP.

    The model's own forward runs with its head replaced, so what it does to logits (Gemma's soft cap,
    Granite's scale) is done. Raises ValueError for a model that does not call its head as a module.
    """
    places = batch.labels[:, 1:] != IGNORE
    head = backbone.model.get_output_embeddings()
    plain = head.forward

    def head_at_labels(hidden: Tensor) -> Tensor:
        logits: Tensor = plain(hidden[:, :-1][places])
        return logits

    given: dict[str, Any] = {"input_ids": batch.input_ids} if embeds is None else {"inputs_embeds": embeds}
    recomputes = _recomputes(backbone)
    fewer = nullcontext() if recomputes else last_mlp_at(backbone.model, pad(places, (0, 1)))
    with replaced_forward(head, head_at_labels), checkpointed(backbone.model, recomputes), fewer:
        logits: Tensor = backbone.model(**given, attention_mask=batch.attention_mask, use_cache=False).logits
    if logits.dim() != 2:
        raise ValueError(f"{backbone.id} computes logits without its output embeddings; it cannot be scored")
    return logits


def _sums(
    backbone: Backbone, batch: RowBatch, smoothing: float, neftune: float, generator: torch.Generator | None
) -> tuple[Tensor, Tensor]:
    """(N,) summed NLL and (N,) number of completion tokens."""
    batch = batch.to(backbone.device)
    embeds = _noisy(backbone, batch, neftune, generator) if neftune else None
    logits = label_logits(backbone, batch, embeds)
    shifted = batch.labels[:, 1:]
    labels = shifted[shifted != IGNORE]
    row, _ = torch.where(shifted != IGNORE)
    nll = cross_entropy(logits.float(), labels, reduction="none", label_smoothing=smoothing)
    total = torch.zeros(len(batch.ids), device=nll.device).index_add(0, row, nll)
    return total, (shifted != IGNORE).sum(1)


def _noisy(backbone: Backbone, batch: RowBatch, alpha: float, generator: torch.Generator | None) -> Tensor:
    embeds: Tensor = backbone.model.get_input_embeddings()(batch.input_ids)
    noise = torch.rand(embeds.shape, generator=generator).to(embeds) * 2 - 1
    lengths = batch.attention_mask.sum(1) * embeds.shape[-1]
    return embeds + noise * (alpha / lengths.sqrt()).to(embeds).view(-1, 1, 1)


def _recomputes(backbone: Backbone) -> bool:
    return backbone.checkpointing and torch.is_grad_enabled()
