"""The end of a demo: speeds and sizes, results.json, answers, the hypernetwork, the report.

Knows nothing of training.
"""

import json
import platform
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from tailorlm import __version__
from tailorlm.assembly import checkpoints, profilers
from tailorlm.assembly.recipes import EncoderSettings
from tailorlm.data.records import User
from tailorlm.demo import results
from tailorlm.demo.export import Check
from tailorlm.demo.world import PROFILE, World
from tailorlm.methods import p2p
from tailorlm.methods.source import Bench

PACKAGES = ("torch", "transformers", "peft", "accelerate", "sentence-transformers")


def best_time(work: Callable[[], object], repeats: int = 3) -> float:
    """Seconds of the fastest of `repeats` runs, after one that warms up."""
    work()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)


def costs(
    tailored: p2p.Source, users: Sequence[User], oppu_seconds: float, oppu_users: int, check: Check
) -> dict[str, Any]:
    """Per user: milliseconds from history to adapter, OPPU's seconds of training, bytes of adapter and profile."""
    profiles = [tailored.bench.profile(user.id, user.history, None) for user in users]
    size = sum(len(profile.text.encode()) for profile in profiles) / len(profiles)
    return {
        "personalize_ms_per_user": 1000 * best_time(lambda: tailored.enrol(users)) / len(users),
        "generate_ms_per_user": 1000 * best_time(lambda: tailored.enrol_profiles(profiles)) / len(users),
        "oppu_s_per_user": oppu_seconds / oppu_users,
        "adapter_bytes": check.bytes_each,
        "profile_bytes": round(size),
    }


def save_network(out: Path, bench: Bench, tailored: p2p.Source, world: World, recipe: dict[str, Any]) -> None:
    """The trained hypernetwork with all it takes to use it, below `out`: `tailor chat` and `personalize` read it."""
    known = profilers.learn(PROFILE, world.users["train"])
    use = checkpoints.use_of(bench, tailored, PROFILE, EncoderSettings(), known)
    template = bench.profile("nobody", (), None).template
    checkpoints.save(out, tailored, checkpoints.meta_of(bench, tailored, template, use, recipe))


def provenance(seed: int) -> dict[str, Any]:
    """What the numbers were measured with."""
    return {
        "seed": seed,
        "commit": commit(),
        "versions": {
            "tailorlm": __version__,
            "python": platform.python_version(),
            **{p: version(p) for p in PACKAGES},
        },
        "dtype": "float32",
        "machine": f"{platform.machine()} {torch.backends.cpu.get_cpu_capability()}, {torch.get_num_threads()} threads",
    }


def commit() -> str:
    """The commit of the source tree, with "+changes" where it has any; "unknown" outside a checkout."""
    here = Path(__file__).parent
    try:
        head = subprocess.run(["git", "-C", here, "rev-parse", "--short", "HEAD"], capture_output=True, check=True)
        changed = subprocess.run(["git", "-C", here, "status", "--porcelain"], capture_output=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return head.stdout.decode().strip() + ("+changes" if changed.stdout.strip() else "")


def curves(training: Path) -> dict[str, list[dict[str, float]]]:
    """Each method's loss by step and second."""
    found = {}
    for file in sorted(training.glob("*/curve.jsonl")):
        lines = [json.loads(line) for line in file.read_text().splitlines()]
        found[file.parent.name] = [{key: line[key] for key in ("step", "seconds", "loss")} for line in lines]
    return found


def write(out: Path, result: dict[str, Any]) -> None:
    """results.json, private to its owner."""
    path = out / "results.json"
    path.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n")
    path.chmod(0o600)


def collect(
    out: Path, bench: Bench, world: World, found: results.Found, more: dict[str, Any], check: Check,
    oppu_users: Sequence[str], seed: int,
) -> dict[str, Any]:  # fmt: skip
    """Everything that `results.json` holds; `more` was measured beside the answers."""
    result = results.numbers(bench, found) | more
    result["same_users"] = results.same_users(found, oppu_users)
    result["export"] = asdict(check)
    result["users"] = {**{split: len(users) for split, users in world.users.items()}, "oppu": len(oppu_users)}
    result["curves"] = curves(out / "training")
    result["targets"] = results.targets(result)
    return {**result, **provenance(seed)}
