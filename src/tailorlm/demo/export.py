"""Exports unseen users' adapters as PEFT folders, loads some with plain `peft`, and compares what both say.

Knows nothing of how adapters were made. Source: issue 2 section 3.
"""

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from tailorlm.adapters.peft_files import directory_for, save_peft
from tailorlm.backbone.inject import Injector
from tailorlm.backbone.prompt import encode_prompt
from tailorlm.data.records import Example
from tailorlm.methods.source import Bench, Roster


@dataclass(frozen=True, slots=True)
class Check:
    """What was written and how far PEFT's logits are from ours (and the base's: that must be far)."""

    adapters: int
    bytes_each: int
    compared: int
    largest_difference: float
    smallest_effect: float


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
    gaps = [gap(bench, injector, roster, query, directory_for(out, query.user_id)) for query in first]
    return Check(len(folders), size, len(gaps), max(g for g, _ in gaps), min(e for _, e in gaps))


def gap(bench: Bench, injector: Injector, roster: Roster, query: Example, folder: Path) -> tuple[float, float]:
    """Largest absolute difference of next-token logits: ours to PEFT's, and ours to the base's."""
    from peft import PeftModel

    prompt = bench.task_of(query.task).prompt(query.input)
    ids = torch.tensor([encode_prompt(bench.backbone.tokenizer, prompt, bench.max_tokens)])
    plain = copy.deepcopy(bench.backbone.model)
    with torch.no_grad():
        base = bench.backbone.model(ids).logits
        with injector(roster.adapters, torch.tensor(roster.index([query]))):
            ours = bench.backbone.model(ids).logits
        theirs = PeftModel.from_pretrained(plain, str(folder))(ids).logits
    return float((ours - theirs).abs().max()), float((ours - base).abs().max())
