"""16 rows with 16 different adapters at 0.5B shapes: our injection and PEFT's mixed batch against no adapter.

The three are timed in turns in one process on shared weights: prefill of 64 tokens (ours includes setting the
adapters) and decode of one token behind a cache of 64. Prints medians of the rounds' ratios (targets: prefill
at most 1.15, decode at most 1.12) by the wall clock, and by processor time: on a shared machine that is fairer.
Memory in float32: 1.5 GB. Run: python benchmarks/injection.py [--dtype float32|bfloat16] [--threads 2]
"""

import argparse
import copy
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel
from table import Row, show
from transformers import DynamicCache, Qwen2Config, Qwen2ForCausalLM

from tailorlm.adapters.batch import Adapters
from tailorlm.adapters.lora import LoraSpace
from tailorlm.adapters.peft_files import save_peft
from tailorlm.backbone.inject import Injector
from tailorlm.backbone.model import Backbone

ROWS, TOKENS, RANK, VOCABULARY = 16, 64, 8, 1000
QWEN_05B = {
    "hidden_size": 896,
    "intermediate_size": 4864,
    "num_attention_heads": 14,
    "num_key_value_heads": 2,
    "vocab_size": VOCABULARY,
}
Variant = tuple[Any, Callable[[], AbstractContextManager[Any]], dict[str, Any]]


def build(layers: int, dtype: torch.dtype) -> Backbone:
    """A random model with the layers of Qwen2.5-0.5B and a small vocabulary."""
    config = Qwen2Config(**QWEN_05B, num_hidden_layers=layers, pad_token_id=0)
    return Backbone(Qwen2ForCausalLM(config).to(dtype), None, "random-0.5b")


def random_adapters(space: LoraSpace) -> Adapters:
    """One adapter a row."""
    return Adapters(space, {name: 0.02 * torch.randn(ROWS, *s) for name, s in space.shapes().items()})


def peft_twin(backbone: Backbone, adapters: Adapters) -> Any:
    """PEFT's model on the same weights (shared, not copied), with an adapter `u{i}` a row."""
    shared = {id(p): p for p in backbone.model.parameters()}
    twin: Any = copy.deepcopy(backbone.model, shared)
    names = [f"u{i}" for i in range(ROWS)]
    with tempfile.TemporaryDirectory() as folder:
        folders = [Path(folder) / name for name in names]
        save_peft(adapters, folders, backbone.id, None, {})
        model: Any = PeftModel.from_pretrained(twin, str(folders[0]), adapter_name=names[0])
        for name, path in zip(names[1:], folders[1:], strict=True):
            model.load_adapter(str(path), adapter_name=name)
    return model.to(backbone.dtype).eval()


def timed(run: Callable[[], object]) -> tuple[float, float]:
    """Seconds of one run, on the wall and of the processor."""
    wall, processor = time.perf_counter(), time.process_time()
    run()
    return time.perf_counter() - wall, time.process_time() - processor


def prefill(variant: Variant) -> object:
    """The cache of a forward pass over 16 x 64 tokens, adapters set anew."""
    model, active, options = variant
    ids = torch.ones(ROWS, TOKENS, dtype=torch.long)
    with active():
        return model(input_ids=ids, use_cache=True, logits_to_keep=1, **options).past_key_values


def decode(variant: Variant, cache: DynamicCache) -> None:
    """One token a row; the cache is put back to its 64 tokens."""
    model, _, options = variant
    model(input_ids=torch.ones(ROWS, 1, dtype=torch.long), past_key_values=cache, **options)
    cache.crop(-1)


def prefill_in_turns(variants: list[Variant], rounds: int) -> list[list[tuple[float, float]]]:
    """Per variant its times, a round after a round."""
    times = [[timed(lambda v=variant: prefill(v)) for variant in variants] for _ in range(rounds)]
    return [list(column) for column in zip(*times, strict=True)]


def decode_in_turns(variants: list[Variant], rounds: int) -> list[list[tuple[float, float]]]:
    """Likewise, the first round dropped; adapters are set only around their own run: the model is shared."""
    caches: list[Any] = [prefill(variant) for variant in variants]
    times: list[list[tuple[float, float]]] = [[] for _ in variants]
    for _ in range(rounds + 1):
        for column, variant, cache in zip(times, variants, caches, strict=True):
            with variant[1]():
                column.append(timed(lambda v=variant, c=cache: decode(v, c)))
    return [column[1:] for column in times]


def rows(what: str, names: Sequence[str], times: list[list[tuple[float, float]]], target: float) -> list[Row]:
    """A row a variant: the median of the rounds' ratios to the first; ours is held against the target."""
    made: list[Row] = []
    for name, column in zip(names, times, strict=True):
        ratios = [
            statistics.median(run[clock] / plain[clock] for run, plain in zip(column, times[0], strict=True))
            for clock in (0, 1)
        ]
        spent = f"{1000 * statistics.median(run[0] for run in column):.1f} ms"
        words = f"{spent}; by processor time {ratios[1]:.3f} x"
        made.append((f"{what}, {name}", words, ratios[0], target if name == "tailorlm" else None))
    return made


def main() -> None:
    """Builds the three, times them in turns and prints the table."""
    form = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=form)
    parser.add_argument("--dtype", choices=["float32", "bfloat16"], default="float32")
    parser.add_argument("--layers", type=int, default=24)
    parser.add_argument("--targets", default="q_proj,v_proj")
    parser.add_argument("--rounds", type=int, default=8, help="of decode; prefill has a quarter")
    parser.add_argument("--threads", type=int, default=2)
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    torch.manual_seed(0)
    backbone = build(asked.layers, getattr(torch, asked.dtype))
    space = LoraSpace(backbone.sites(asked.targets.split(",")), RANK)
    adapters, injector = random_adapters(space), Injector(backbone.model, space)
    index = torch.arange(ROWS)
    names = {"adapter_names": [f"u{i}" for i in range(ROWS)]}
    variants: dict[str, Variant] = {
        "no adapter": (backbone.model, nullcontext, {}),
        "tailorlm": (backbone.model, lambda: injector(adapters, index), {}),
        "peft mixed": (peft_twin(backbone, adapters), nullcontext, names),
    }
    with torch.inference_mode():
        decoding = decode_in_turns(list(variants.values()), asked.rounds)  # its prefills warm up all three
        prefilling = prefill_in_turns(list(variants.values()), max(asked.rounds // 4, 1))
    print(f"injection at Qwen2.5-0.5B shapes: {ROWS} adapters, {asked.layers} layers, {asked.targets}, rank {RANK}")
    table = rows("prefill", list(variants), prefilling, 1.15) + rows("decode", list(variants), decoding, 1.12)
    show(table, asked.dtype, asked.threads)


if __name__ == "__main__":
    main()
