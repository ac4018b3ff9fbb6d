"""From a recipe to a trained hypernetwork in a run's folder: MT-LoRA first where P2P begins at it.

Knows nothing of evaluation. The folder: recipe.toml, run.json, mt_lora/ and p2p/ (training), shared/ (MT-LoRA as a
PEFT folder), checkpoint/. Source: design section 2; P2P section 3.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tailorlm.adapters.batch import Adapters
from tailorlm.adapters.peft_files import save_peft
from tailorlm.assembly import checkpoints, runs
from tailorlm.assembly.benches import load_base, make_bench, make_encoder, make_profilers, truncated
from tailorlm.assembly.datasets import training_users, validation_users
from tailorlm.assembly.profilers import Known, Profilers, learn, one_by_one
from tailorlm.assembly.recipes import Recipe, method, plain
from tailorlm.data.records import User
from tailorlm.methods import mt_lora, p2p
from tailorlm.methods.source import Bench, shared_start

CHECKPOINT, SHARED = "checkpoint", "shared"


@dataclass(frozen=True)
class Built:
    """What a recipe becomes before training; `held` are not among `users`."""

    recipe: Recipe
    bench: Bench
    users: list[User]
    held: list[User]
    known: Known
    profilers: Profilers
    notes: dict[str, int]


def assemble(recipe: Recipe) -> Built:
    """The base, the encoder, the training users and their profiler, which knows nothing of the held ones."""
    everybody, report = training_users(recipe.data, recipe.seed)
    users, held = validation_users(everybody, recipe.data.validation, recipe.seed)
    backbone = load_base(recipe.base)
    known = learn(recipe.profile, users)
    profilers = make_profilers(recipe.profile, known, backbone)
    encoder = make_encoder(recipe.encoder, backbone)
    bench = make_bench(backbone, one_by_one(profilers, everybody), encoder, recipe.max_tokens, recipe.tasks.template)
    notes = {**report.notes, **({"problems left out": report.count} if report.count else {})}
    return Built(recipe, bench, users, held, known, profilers, notes)


def train(recipe: Recipe, directory: Path, resume: bool = False) -> Path:
    """Train into `directory` and give the checkpoint's folder. Interrupted, NonFiniteLoss and ValueError as the
    training loop raises them; `resume` continues a run that was stopped.
    """
    runs.check_run(directory, recipe)
    start = time.perf_counter()
    built = assemble(recipe)
    runs.open_run(directory, recipe)  # only now: what cannot start leaves no folder behind
    shared = train_shared(built, directory, resume)
    source = p2p.Source(built.bench, method(recipe, "p2p"), shared_start(shared) if recipe.start == "mt_lora" else None)
    source.prepare(built.users, directory / "p2p", resume, built.held)
    save(built, source, directory / CHECKPOINT)
    runs.write_json(directory / runs.RUN, described(built, source, time.perf_counter() - start))
    return directory / CHECKPOINT


def train_shared(built: Built, directory: Path, resume: bool) -> Adapters:
    """MT-LoRA, trained and saved as a PEFT folder; one adapter."""
    source = mt_lora.Source(built.bench, method(built.recipe, "mt_lora"))
    source.prepare(built.users, directory / "mt_lora", resume, built.held)
    adapters = source.enrol(built.users[:1]).adapters
    assert adapters is not None
    backbone = built.bench.backbone
    save_peft(adapters, [directory / SHARED], backbone.id, backbone.revision, {"method": "mt_lora"})
    return adapters


def save(built: Built, source: p2p.Source, directory: Path) -> None:
    """The trained network with its meta."""
    recipe, tasks = built.recipe, tasks_of(built.users)
    use = checkpoints.use_of(built.bench, source, recipe.profile, recipe.encoder, built.known, tasks)
    use = replace(use, template=recipe.tasks.template)
    template = built.profilers([User("", ())], None)[0].template
    about = {"recipe": plain(recipe), **runs.provenance(recipe.seed)}
    checkpoints.save(directory, source, checkpoints.meta_of(built.bench, source, template, use, about))


def tasks_of(users: Sequence[User]) -> tuple[str, ...]:
    """The tasks that the users' items name, sorted."""
    return tuple(sorted({item.task for user in users for item in user.history if item.task}))


def described(built: Built, source: p2p.Source, seconds: float) -> dict[str, Any]:
    """What run.json holds."""
    assert source.hypernet is not None
    return {
        **runs.provenance(built.recipe.seed),
        "dtype": str(built.bench.backbone.dtype).removeprefix("torch."),
        "training_users": len(built.users),
        "validation_users": len(built.held),
        "training_items": sum(len(user.history) for user in built.users),
        "tasks": list(tasks_of(built.users)),
        "facets": len(source.facets),
        "hypernetwork_parameters": sum(p.numel() for p in source.hypernet.parameters()),
        "texts_cut_by_the_encoder": truncated(built.bench.encoder),
        "data_notes": built.notes,
        "seconds": round(seconds, 1),
    }
