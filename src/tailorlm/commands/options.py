"""Options that several `tailor` commands share, with what help says of them. Knows nothing of what commands do."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from tailorlm import __version__

CODES = "Exit codes: 0 done, 1 failure, 2 wrong input, 130 interrupted."


class OnError(StrEnum):
    """What a malformed line does."""

    stop = "stop"
    skip = "skip"


AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
Split = Annotated[str | None, typer.Option(help="Which split of a folder with several: train, dev.")]
Stop = Annotated[OnError, typer.Option(help="A malformed line: stop at it, or leave it out and count it.")]
Set = Annotated[list[str] | None, typer.Option("--set", help="Change a setting: table.key=value. May be repeated.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace the file of --out where it is there.")]
Anew = Annotated[bool, typer.Option("--overwrite", help="Delete the rows of an earlier evaluation, and begin anew.")]
Data = Annotated[Path | None, typer.Option(help="Where the data are: the recipe's data.root.")]
Run = Annotated[Path | None, typer.Option("--out", help="The run's folder; runs/ and the recipe's name by default.")]
Resume = Annotated[bool, typer.Option(help="Go on with a run that was stopped.")]
Limit = Annotated[int, typer.Option(min=0, help="At most so many queries of each task and split; 0 is all.")]
Task = Annotated[str | None, typer.Option(help="The task, where the network has an adapter for each.")]
Base = Annotated[str | None, typer.Option(help="Where the base model is, if not where the checkpoint says.")]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1 ...")]
Dtype = Annotated[str, typer.Option(help="auto, float32, bfloat16, float16.")]
Strength = Annotated[
    float, typer.Option(min=0.0, max=1.5, help="The adapters' effect: 0 is the base model, 1.5 the most.")
]
Checkpoint = Annotated[str, typer.Argument(help="A trained hypernetwork: a folder, or an id on the Hugging Face hub.")]
Recipe = Annotated[Path, typer.Argument(help="A TOML file; recipes/ has some.")]


def example(*commands: str) -> str:
    """An epilog with examples and the exit codes."""
    return "\n\n".join([*(f"Example: {command}" for command in commands), CODES])


def version(wanted: bool) -> None:
    """Print the version and stop."""
    if wanted:
        typer.echo(__version__)
        raise typer.Exit
