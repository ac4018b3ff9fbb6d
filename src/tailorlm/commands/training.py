"""`tailor train`: a recipe becomes a hypernetwork in a run's folder. Knows nothing of evaluation."""

import json
import shlex
from collections.abc import Sequence
from pathlib import Path

from tailorlm.commands.places import new_folder
from tailorlm.commands.quiet import no_bars_of_loading
from tailorlm.commands.result import Result, tell


def run(recipe: Path, overrides: Sequence[str], data: Path | None, out: Path | None, resume: bool) -> Result:
    """Train, and say where the checkpoint is and what to do next."""
    from tailorlm.assembly import build
    from tailorlm.assembly.recipes import read

    settings = read(recipe, overrides, data)
    folder = new_folder(out_of(recipe, out))
    no_bars_of_loading()
    tell(f"training {recipe} in {folder}")
    try:
        checkpoint = build.train(settings, folder, resume)
    except KeyboardInterrupt as stopped:
        raise KeyboardInterrupt(said(stopped, folder)) from None
    found = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    next_steps = lines(checkpoint, command(recipe, overrides, data, folder), found)
    return Result({"checkpoint": str(checkpoint), "run": str(folder), **found}, next_steps)


def said(stopped: KeyboardInterrupt, folder: Path) -> str:
    """Where it stopped, and how to go on."""
    step = getattr(stopped, "step", None)
    where = "" if step is None else f"interrupted after step {step}; everything is saved in {folder}. "
    return f"{where}The same command with --resume goes on."


def out_of(recipe: Path, out: Path | None) -> Path:
    """The run's folder: `out`, or runs/ and the recipe's name."""
    return out if out is not None else Path("runs") / recipe.stem


def command(recipe: Path, overrides: Sequence[str], data: Path | None, folder: Path) -> str:
    """The evaluation of this very run, as a shell reads it."""
    given = [] if data is None else ["--data", str(data)]
    changes = [word for override in overrides for word in ("--set", override)]
    return shlex.join(["tailor", "eval", str(recipe), *given, *changes, "--out", str(folder)])


def lines(checkpoint: Path, evaluate: str, found: dict[str, object]) -> list[str]:
    """What was made, and what to do with it."""
    noted = found["data_notes"]
    notes = [f"{count} {what}" for what, count in noted.items()] if isinstance(noted, dict) else []
    return [
        f"{checkpoint}: trained on {found['training_users']} users, {found['training_items']} items, "
        f"{found['facets']} facets, in {found['seconds']} s",
        *notes,
        "next:",
        f"  {evaluate}",
        f"  tailor personalize {shlex.quote(str(checkpoint))} USERS --out adapters",
    ]
