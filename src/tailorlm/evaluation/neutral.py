"""Drift on neutral prompts: how far adapters move the model where nothing personal is asked.

    drift = mean over the answers' tokens of KL(base || adapted)     (nats)

Prompts come as JSONL, {"prompt", "answer"} a line; neutral_prompts.jsonl beside this file is ours. Knows nothing of how
adapters were made. Source: issue 2 section 3, issue 4 (drift on neutral prompts).
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from tailorlm.adapters.batch import Adapters
from tailorlm.backbone.inject import Injector
from tailorlm.backbone.loss import label_logits
from tailorlm.backbone.model import Backbone
from tailorlm.backbone.prompt import Prompt, encode_row
from tailorlm.backbone.rows import IGNORE, Row, RowBatch, collate
from tailorlm.evaluation.drift import drift

OURS = Path(__file__).with_name("neutral_prompts.jsonl")
AT_ONCE = 8
"""Rows in one pass: logits of a large vocabulary fill memory."""


@dataclass(frozen=True, slots=True)
class Neutral:
    """A question that is the same for everybody, with its answer."""

    prompt: str
    answer: str


def read_neutral(path: Path = OURS) -> tuple[Neutral, ...]:
    """The prompts of a JSONL file. ValueError with the line of what is none, and for a file without any."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"neutral prompts {path}: cannot be read ({type(error).__name__})") from None
    found = tuple(_neutral(text, f"{path}:{n}") for n, text in enumerate(lines, 1) if text.strip())
    if not found:
        raise ValueError(f'neutral prompts {path}: expected a line {{"prompt": "...", "answer": "..."}} or more')
    return found


def _neutral(line: str, where: str) -> Neutral:
    try:
        raw: Any = json.loads(line)
    except (ValueError, RecursionError):
        raw = None
    if not isinstance(raw, dict) or not all(isinstance(raw.get(key), str) and raw[key] for key in ("prompt", "answer")):
        raise ValueError(f'{where}: expected {{"prompt": "...", "answer": "..."}}, both with something in them')
    return Neutral(raw["prompt"], raw["answer"])


def digest(prompts: Sequence[Neutral]) -> str:
    """Which prompts they are."""
    return hashlib.sha256(json.dumps([(one.prompt, one.answer) for one in prompts]).encode()).hexdigest()[:16]


def neutral_rows(backbone: Backbone, prompts: Sequence[Neutral], max_tokens: int) -> list[Row]:
    """The prompts as rows. ValueError for an answer that leaves no room for its prompt."""
    return [
        encode_row(backbone.tokenizer, Prompt(one.prompt), one.answer, max_tokens, f"neutral-{n}")
        for n, one in enumerate(prompts)
    ]


def neutral_drift(
    backbone: Backbone, injector: Injector, adapters: Adapters, index: Tensor, rows: Sequence[Row]
) -> float:
    """Mean nats a token of the answers of rows (N); row i is asked with adapter index[i modulo its length].

    ValueError where there is no row.
    """
    whose = index.cpu()[torch.arange(len(rows)) % len(index)]
    batches = (
        collate(rows[start : start + AT_ONCE], backbone.pad_id, whose[start : start + AT_ONCE]).to(backbone.device)
        for start in range(0, len(rows), AT_ONCE)
    )

    def adapted(batch: RowBatch) -> Tensor:
        with injector(adapters, batch.index):
            return label_logits(backbone, batch)

    return drift(batches, lambda batch: label_logits(backbone, batch), adapted, labelled)


def labelled(batch: RowBatch) -> Tensor:
    """(P,) true: logits are of labels alone."""
    return torch.ones(int((batch.labels[:, 1:] != IGNORE).sum()), dtype=torch.bool, device=batch.labels.device)
