"""From a recipe to a trained hypernetwork in a run's folder: MT-LoRA first where P2P begins at it.

Knows nothing of evaluation. The folder: recipe.toml, run.json, mt_lora/ and p2p/ (training), shared/ (MT-LoRA as a
PEFT folder), checkpoint/, prepared/ (seconds). Source: design section 2; P2P section 3.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tailorlm.adapters.batch import Adapters
from tailorlm.adapters.peft_files import save_peft
from tailorlm.assembly import checkpoints, runs, splitting
from tailorlm.assembly.alone import alone
from tailorlm.assembly.benches import load_base, make_bench, make_encoder, make_profilers, truncated
from tailorlm.assembly.datasets import pools, training_users, validation_users, where
from tailorlm.assembly.kept import Profilers
from tailorlm.assembly.population import population
from tailorlm.assembly.preflight import check_given, check_trackers, try_writer
from tailorlm.assembly.profilers import Known, learn, one_by_one
from tailorlm.assembly.recipes import Recipe, method, plain, trained_as
from tailorlm.assembly.run_folders import check_ours, starting
from tailorlm.assembly.spent import spending, spent
from tailorlm.assembly.trained_on import TrainedOn, note, trained_on
from tailorlm.assembly.usable import watched
from tailorlm.data.problems import Report
from tailorlm.data.records import User
from tailorlm.data.splits import Split
from tailorlm.methods import made_for, mt_lora, p2p
from tailorlm.methods.source import Bench, Profiler, shared_start

CHECKPOINT, SHARED = "checkpoint", "shared"
BASE = "base_fingerprint"
"""In the provenance of the shared LoRA: the weights that it was trained on."""
WHERE = {"mt_lora": SHARED, "p2p": CHECKPOINT}


@dataclass(frozen=True)
class Built:
    """What a recipe becomes before training; `held` are not among `users`."""

    recipe: Recipe
    bench: Bench
    users: Sequence[User]
    held: Sequence[User]
    known: Known
    profilers: Profilers
    notes: Mapping[str, int]
    split: Split | None = None


def assemble(recipe: Recipe, directory: Path | None = None) -> Built:
    """The base, the encoder, the training users and their profiler, which knows nothing of the held ones.

    `directory`: the run whose split of the users is used, where it has one.
    """
    if recipe.data.split.kind != "none" or recipe.data.protocol == "time":
        found = population(recipe, directory)
        built = put_together(
            recipe, list(found.train), list(found.held), found.report,
            lambda profilers: one_by_one(profilers, [*found.train, *found.held]),
        )  # fmt: skip
        return replace(built, split=found.split)
    found_users, report = training_users(recipe.data, recipe.seed)
    everybody = [user for user, _ in watched(((user, ()) for user in found_users), report)]
    users, held = validation_users(everybody, recipe.data.validation, recipe.seed)
    return put_together(recipe, users, held, report, lambda profilers: one_by_one(profilers, everybody))


def put_together(
    recipe: Recipe, users: Sequence[User], held: Sequence[User], report: Report,
    profiler: Callable[[Profilers], Profiler],
) -> Built:  # fmt: skip
    """The base and the encoder, with these users; `profiler` makes profiles one by one out of profiles of many."""
    without = check_given(recipe, users)
    backbone = load_base(recipe.base)
    known = learn(recipe.profile, users)
    profilers = make_profilers(recipe.profile, known, backbone)
    encoder = make_encoder(recipe.encoder, backbone)
    bench = make_bench(backbone, profiler(profilers), encoder, recipe.max_tokens, recipe.tasks.template)
    bench = replace(bench, pools=pools(users))
    notes = {**report.notes, **without, **({"problems left out": report.count} if report.count else {})}
    return Built(recipe, bench, users, held, known, profilers, notes)


def train(recipe: Recipe, directory: Path, resume: bool = False) -> Path:
    """Train into `directory` and give the checkpoint's folder. Interrupted, NonFiniteLoss and ValueError as the
    training loop raises them; `resume` continues a run that was stopped. What fails with nothing trained leaves no
    folder behind. ValueError, too, where another training or an evaluation is at work in the folder.
    """
    check_ours(directory)
    with starting(directory), alone(directory, "another evaluation or training"):
        runs.check_run(directory, recipe)
        check_trackers(recipe)
        built = assemble(recipe, directory)
        try_writer(recipe, built.users, built.bench.profile)
        runs.open_run(directory, recipe)
        splitting.keep(built.split, directory)
        shared = train_shared(built, directory, resume)
        return train_network(built, directory, resume, shared if recipe.start == "mt_lora" else None)


def train_shared(built: Built, directory: Path, resume: bool) -> Adapters:
    """MT-LoRA, trained and saved as a PEFT folder; one adapter."""
    source = mt_lora.Source(built.bench, trained_as(built.recipe, "mt_lora"))
    note(*noted(directory, "mt_lora"), lambda: people(built))
    with spending(costs(directory, "mt_lora")):
        source.prepare(built.users, directory / "mt_lora", resume, built.held)
    adapters = source.enrol(built.users[:1]).adapters
    assert adapters is not None
    backbone = built.bench.backbone
    about = {"method": "mt_lora", BASE: made_for.base(backbone)}
    save_peft(adapters, [directory / SHARED], backbone.id, backbone.revision, about)
    return adapters


def train_network(built: Built, directory: Path, resume: bool, shared: Adapters | None) -> Path:
    """P2P's hypernetwork, which begins at `shared` (None: at the base), and its checkpoint's folder."""
    source = p2p.Source(built.bench, method(built.recipe, "p2p"), shared_start(shared) if shared is not None else None)
    note(*noted(directory, "p2p"), lambda: people(built))
    with spending(costs(directory, "p2p")):
        source.prepare(built.users, directory / "p2p", resume, built.held)
    save(built, source, directory / CHECKPOINT)
    seconds = sum(spent(costs(directory, name)) or 0.0 for name in ("mt_lora", "p2p"))
    runs.write_json(directory / runs.RUN, described(built, source, seconds))
    return directory / CHECKPOINT


def costs(directory: Path, name: str) -> Path:
    """Where the seconds are kept that preparing a source took."""
    return directory / "prepared" / f"{name}.json"


def noted(directory: Path, name: str) -> tuple[Path, tuple[Path, ...]]:
    """Where it is noted whom `tailor train`'s source was trained on, and the folders of what it became."""
    return costs(directory, name).with_suffix(".people.json"), (directory / name, directory / WHERE[name])


def people(built: Built) -> TrainedOn:
    """Whom the recipe's own sources are trained on."""
    return trained_on(where(built.recipe.data, built.recipe.data.train), built.users, built.held)


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
        "facets_left_out": source.left_out,
        "hypernetwork_parameters": sum(p.numel() for p in source.hypernet.parameters()),
        "texts_cut_by_the_encoder": truncated(built.bench.encoder),
        "data_notes": built.notes,
        "seconds": round(seconds, 1),
    }
