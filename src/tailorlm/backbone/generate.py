"""Texts and scores for a batch of prompts, a different adapter on every row.

Knows nothing of tasks or users. Prompts run sorted by length; results keep the order they came in.
Source: design section 3; greedy at temperature 0 as in P2P; sampling by the Gumbel-max trick.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from tailorlm.adapters.batch import Adapters
from tailorlm.backbone.inject import Injector
from tailorlm.backbone.loss import row_log_probs
from tailorlm.backbone.model import Backbone
from tailorlm.backbone.prompt import Messages, Prompt, encode_prompt, encode_row, end_of_turn
from tailorlm.backbone.rows import collate


@dataclass(frozen=True, slots=True)
class Generated:
    """A completion; tokens of its prompt and of itself (its end of turn included); its share of its batch's seconds."""

    text: str
    prompt_tokens: int
    new_tokens: int
    seconds: float


def generate(
    backbone: Backbone,
    injector: Injector,
    prompts: Sequence[Prompt | Messages],
    adapters: Adapters | None,
    index: Sequence[int] | Tensor,
    max_new_tokens: int,
    temperature: float = 0.0,
    seed: int | None = None,
    batch_size: int = 32,
    max_prompt_tokens: int | None = None,
) -> list[str]:
    """The completions of `prompts`, in their order, without special tokens; row i uses `adapters[index[i]]`.

    Greedy at temperature 0. With a `seed` each prompt has its own random stream, so its text does not depend
    on the batches. Prompts are shortened to `max_prompt_tokens` (default: what the model's positions leave).
    """
    made = generated(
        backbone, injector, prompts, adapters, index, max_new_tokens, temperature, seed, batch_size, max_prompt_tokens
    )
    return [one.text for one in made]


def generated(
    backbone: Backbone,
    injector: Injector,
    prompts: Sequence[Prompt | Messages],
    adapters: Adapters | None,
    index: Sequence[int] | Tensor,
    max_new_tokens: int,
    temperature: float = 0.0,
    seed: int | None = None,
    batch_size: int = 32,
    max_prompt_tokens: int | None = None,
) -> list[Generated]:
    """As `generate`, with what each completion took."""
    limit = _prompt_limit(backbone, _virtual(injector, adapters), max_new_tokens, max_prompt_tokens)
    encoded = [encode_prompt(backbone.tokenizer, prompt, limit) for prompt in prompts]
    places = _index(index, len(prompts))
    draws = _streams(len(prompts), temperature, seed)
    made: dict[int, Generated] = {}
    ends = _ends(backbone)
    for chosen in _batches([len(ids) for ids in encoded], batch_size):
        pick = _Sampler([draws[i] for i in chosen], temperature) if temperature else None
        start = time.perf_counter()
        with torch.no_grad(), injector(adapters, places[chosen]):
            new = _continue(backbone, [encoded[i] for i in chosen], max_new_tokens, pick).tolist()
        seconds = (time.perf_counter() - start) / len(chosen)
        decoded = backbone.tokenizer.batch_decode(new, skip_special_tokens=True)
        for i, text, ids in zip(chosen, decoded, new, strict=True):
            made[i] = Generated(text, len(encoded[i]), _until_end(ids, ends), seconds)
    return [made[i] for i in range(len(prompts))]


def score(
    backbone: Backbone,
    injector: Injector,
    prompts: Sequence[Prompt | Messages],
    completions: Sequence[str],
    adapters: Adapters | None,
    index: Sequence[int] | Tensor,
    batch_size: int = 32,
    max_tokens: int | None = None,
) -> Tensor:
    """(N,) float32 on the CPU, nats: log-probability of each completion, its end-of-turn token included."""
    places = _index(index, len(prompts))
    limit = backbone.max_tokens - _virtual(injector, adapters) if max_tokens is None else max_tokens
    pairs = enumerate(zip(prompts, completions, strict=True))
    rows = [encode_row(backbone.tokenizer, prompt, text, limit, str(i)) for i, (prompt, text) in pairs]
    scores = torch.zeros(len(rows))
    for chosen in _batches([len(row.ids) for row in rows], batch_size):
        batch = collate([rows[i] for i in chosen], backbone.pad_id, places[chosen])
        with torch.no_grad(), injector(adapters, batch.index):
            scores[chosen] = row_log_probs(backbone, batch).cpu()
    return scores


def _virtual(injector: Injector, adapters: Adapters | None) -> int:
    return 0 if adapters is None else injector.space.virtual_tokens


def _prompt_limit(backbone: Backbone, virtual: int, new: int, asked: int | None) -> int:
    room = backbone.max_tokens - virtual - new
    if new < 1 or room < 1:
        most = backbone.max_tokens - virtual - 1
        raise ValueError(f"max_new_tokens {new} must be 1 to {most} for {backbone.id} and {virtual} virtual tokens")
    if asked is not None and not 1 <= asked <= room:
        raise ValueError(f"max_prompt_tokens {asked} must be 1 to {room} where {new} new tokens follow")
    return room if asked is None else asked


def _index(index: Sequence[int] | Tensor, rows: int) -> Tensor:
    places = torch.as_tensor(index, dtype=torch.long)
    if places.shape != (rows,):
        raise ValueError(f"{rows} prompts need an index of shape ({rows},), got {tuple(places.shape)}")
    return places


def _batches(lengths: list[int], size: int) -> Iterator[list[int]]:
    """Positions in batches of similar length, longest first: the batch that needs most memory fails first."""
    if size < 1:
        raise ValueError(f"batch_size {size} must be at least 1")
    order = sorted(range(len(lengths)), key=lambda i: (-lengths[i], i))
    for start in range(0, len(order), size):
        yield order[start : start + size]


def _streams(rows: int, temperature: float, seed: int | None) -> list[torch.Generator]:
    if not 0 <= temperature < float("inf"):
        raise ValueError(f"temperature {temperature} must be 0 (greedy) or more")
    if not temperature:
        return []
    seeds = torch.Generator()
    if seed is None:
        seeds.seed()
    else:
        seeds.manual_seed(seed)
    return [torch.Generator().manual_seed(int(s)) for s in torch.randint(2**62, (rows,), generator=seeds).tolist()]


class _Sampler:
    """Adds Gumbel noise to logits / temperature: the largest is a draw from the softmax; a stream a row."""

    def __init__(self, streams: list[torch.Generator], temperature: float) -> None:
        self.streams, self.temperature = streams, temperature

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        """(N, V) scores with noise; float32, because noise in half precision ties."""
        exponential = [torch.empty(scores.shape[1]).exponential_(generator=stream) for stream in self.streams]
        return scores.float() / self.temperature - torch.stack(exponential).to(scores.device).log()


def _ends(backbone: Backbone) -> set[int]:
    """The tokens that end a completion."""
    ends: set[int] = {end_of_turn(backbone.tokenizer), backbone.tokenizer.eos_token_id} - {None}
    return ends


def _until_end(ids: list[int], ends: set[int]) -> int:
    """How many tokens were made: those to the first end, which the batch's padding follows."""
    return next((n for n, token in enumerate(ids, 1) if token in ends), len(ids))


def _continue(backbone: Backbone, rows: list[list[int]], new: int, pick: Callable[..., Tensor] | None) -> Tensor:
    """(N, up to new) ids after the prompts, padded behind the end of turn."""
    tokens = max(map(len, rows))
    pad = backbone.pad_id
    ids = torch.tensor([[pad] * (tokens - len(row)) + row for row in rows], device=backbone.device)
    mask = torch.tensor([[0] * (tokens - len(row)) + [1] * len(row) for row in rows], device=backbone.device)
    with _plain_settings(backbone, new):
        out: Tensor = backbone.model.generate(
            input_ids=ids, attention_mask=mask, logits_processor=[pick] if pick else None
        )
    return out[:, tokens:]


@contextmanager
def _plain_settings(backbone: Backbone, new: int) -> Iterator[None]:
    # Models ship sampling defaults (penalties, top-p) that generate() merges in silently; ours are explicit.
    import transformers

    settings: Any = transformers.GenerationConfig
    own = backbone.model.generation_config
    backbone.model.generation_config = settings(
        max_new_tokens=new, do_sample=False, eos_token_id=sorted(_ends(backbone)), pad_token_id=backbone.pad_id
    )
    try:
        yield
    finally:
        backbone.model.generation_config = own
