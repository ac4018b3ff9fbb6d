"""Exports unseen users' adapters as PEFT folders, loads some with plain `peft`, and compares what both say.

Knows nothing of how adapters were made. Source: issue 2 section 3.
"""

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from tailorlm.adapters.peft_files import directory_for, save_peft
from tailorlm.backbone.inject import Injector
from tailorlm.backbone.prompt import encode_prompt
from tailorlm.data.records import Example
from tailorlm.methods.source import Bench, Roster


@dataclass(frozen=True, slots=True)
class Check:
    """What was written, and how far apart logits are: PEFT's from ours, and from what must differ.

    `smallest_effect` is ours against the base, `smallest_swap` PEFT's of one user against ours of the next.
    """

    adapters: int
    bytes_each: int
    compared: int
    largest_difference: float
    smallest_effect: float
    smallest_swap: float


def export(
    bench: Bench, injector: Injector, roster: Roster, queries: Sequence[Example], out: Path, compare: int
) -> Check:
    """Write every adapter of the roster below `out`; reload the first `compare` users' with plain PEFT."""
    assert roster.adapters is not None
    folders = [directory_for(out, user) for user, _ in roster.place]
    kept = roster.adapters[torch.tensor(list(roster.place.values()))]
    save_peft(kept, folders, bench.backbone.id, bench.backbone.revision, {"made_by": "tailor demo"})
    size = sum(file.stat().st_size for file in folders[0].iterdir())
    first = list({query.user_id: query for query in queries}.values())[:compare]
    said = [logits(bench, injector, roster, query, directory_for(out, query.user_id)) for query in first]
    return Check(
        adapters=len(folders),
        bytes_each=size,
        compared=len(said),
        largest_difference=max(apart(ours, theirs) for _, ours, _, theirs in said),
        smallest_effect=min(apart(ours, base) for base, ours, _, _ in said),
        smallest_swap=min(apart(other, theirs) for _, _, other, theirs in said),
    )


def apart(one: Tensor, other: Tensor) -> float:
    """The largest absolute difference."""
    return float((one - other).abs().max())


@torch.no_grad()
def logits(
    bench: Bench, injector: Injector, roster: Roster, query: Example, folder: Path
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Logits (1, T, V) of a query: the base's, ours, ours with the next user's adapter, PEFT's from the folder."""
    from peft import PeftModel

    assert roster.adapters is not None
    prompt = bench.task_of(query.task).prompt(query.input)
    ids = torch.tensor([encode_prompt(bench.backbone.tokenizer, prompt, bench.max_tokens)])
    plain = copy.deepcopy(bench.backbone.model)
    base = bench.backbone.model(ids).logits
    index = torch.tensor(roster.index([query]))
    with injector(roster.adapters, index):
        ours = bench.backbone.model(ids).logits
    with injector(roster.adapters, (index + 1) % len(roster.adapters)):
        other = bench.backbone.model(ids).logits
    return base, ours, other, PeftModel.from_pretrained(plain, str(folder))(ids).logits
